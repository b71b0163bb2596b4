"""What a conversation remembers from one request to the next."""
