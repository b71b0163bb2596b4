"""Anytime-valid inference: pure functions of counts and moments."""
