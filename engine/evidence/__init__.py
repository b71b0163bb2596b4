"""Facts as records, and what can be measured and observed in them."""
