"""What a language model gets to read: counted, cut to fit, and made shorter."""
