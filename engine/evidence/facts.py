"""What serving wrote, and which part of it compares one pair of variants."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Facts:
    """What serving wrote, up to one catalogue number."""

    exposures: pl.DataFrame
    traces: pl.DataFrame
    feedback: pl.DataFrame


@dataclass(frozen=True)
class Shares:
    """Planned shares of one pair under one snapshot version, in buckets."""

    candidate: int
    baseline: int

    @property
    def propensity(self) -> float:
        """Chance that a unit of the pair is the candidate's."""
        return self.candidate / (self.candidate + self.baseline)


@dataclass(frozen=True)
class Pair:
    """Whose units are compared: by variant, owning window and snapshot version.

    The baseline's units are those in buckets that no window's variant owns, except in a holdback,
    where the roles are turned: there the former baseline owns `baseline_windows`.
    """

    candidate: str
    baseline: str
    candidate_windows: tuple[str, ...]
    baseline_windows: tuple[str, ...]
    shares: Mapping[int, Shares]
    """By snapshot version; units of other versions don't count."""
    opened_at: float = 0.0
    """Unix seconds at which the first of the candidate's windows opened."""
    history: frozenset[int] = frozenset()
    """Snapshot versions under which the baseline was the baseline."""
