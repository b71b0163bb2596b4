"""What an operator may write, read with positions and checked once."""
