"""Remembers answers and results, each variant its own."""
