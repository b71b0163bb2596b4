"""Counts what a cache found and what it didn't."""

from dataclasses import dataclass


@dataclass
class Counts:
    """One cache's look-ups since the process began."""

    hits: int = 0
    misses: int = 0
    shared: int = 0
    """Callers that got the answer which another was waiting for already."""
    refused: int = 0
    """Near questions that the guards told apart."""
    errors: int = 0

    def looked(self, *, hit: bool) -> None:
        """Count one look-up."""
        if hit:
            self.hits += 1
        else:
            self.misses += 1
