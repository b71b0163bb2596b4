"""Runs a graph: each step as soon as what it reads is there, and no step twice."""
