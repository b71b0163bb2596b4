"""The execution layer measured: its overhead, its load, and what it saves when models fail."""
