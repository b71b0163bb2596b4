"""Searches compared on surfaces whose truth is known."""
