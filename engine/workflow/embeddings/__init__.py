"""Turns many callers' texts into vectors together."""
