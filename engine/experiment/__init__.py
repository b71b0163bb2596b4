"""Decisions as pure functions: what is live, who gets it, and what the evidence allows."""
