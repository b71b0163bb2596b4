"""Replays: the loop on virtual time, with outcomes that are known beforehand."""
