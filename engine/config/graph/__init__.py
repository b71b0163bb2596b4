"""What an operator may write about a graph of steps, and everything that can be wrong with it."""
