"""Finds the passages that a question needs: by meaning, by words, or by both."""
