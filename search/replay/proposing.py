"""Who names the next candidate of a replay."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import Protocol

import numpy as np

from engine.experiment.figures import Figures


@dataclass(frozen=True)
class Row:
    """What a window measured of its candidate against its concurrent baseline."""

    candidate: str
    baseline: str
    rate: float | None
    """The candidate's mean score, as it stands."""
    lift: float | None
    se: float | None
    log_ratio: float | None
    """Natural logarithm of the ratio of geometric mean latencies."""
    ratio_se: float | None

    @classmethod
    def of(cls, candidate: str, baseline: str, figures: Figures) -> "Row":
        """From a window's newest figures."""
        ratio = figures["latency_ratio"]
        return cls(
            candidate=candidate,
            baseline=baseline,
            rate=figures["candidate_mean"],
            lift=figures["lift"],
            se=figures["se"],
            log_ratio=None if ratio is None else log(ratio),
            ratio_se=figures["latency_log_se"],
        )


@dataclass(frozen=True)
class Place:
    """Where a search stands when it wants another candidate."""

    rows: Sequence[Row]
    """All windows so far, open ones as they stand."""
    baseline: str
    pending: Sequence[str]
    """Candidates being tried."""
    latency_left: float
    """What earlier promotions have left of the latency ratio's margin."""

    @property
    def tried(self) -> set[str]:
        """What was or is tried against this baseline, and itself."""
        against = {row.candidate for row in self.rows if row.baseline == self.baseline}
        return against | {self.baseline, *self.pending}


class Proposer(Protocol):
    """Names candidates."""

    def propose(self, place: Place) -> str | None:
        """The next candidate; None when there is none left to try."""
        ...


class Shuffled:
    """Every listed variant in a random order, once against each baseline."""

    def __init__(self, variants: Sequence[str], seed: int) -> None:
        self._variants = tuple(variants)
        self._rng = np.random.default_rng(seed)

    def propose(self, place: Place) -> str | None:
        """Any variant that was not tried against this baseline."""
        left = [one for one in self._variants if one not in place.tried]
        return left[int(self._rng.integers(len(left)))] if left else None


class Anew:
    """Any listed variant at random, as often as it comes: for rules that forget."""

    def __init__(self, variants: Sequence[str], seed: int) -> None:
        self._variants = tuple(variants)
        self._rng = np.random.default_rng(seed)

    def propose(self, place: Place) -> str | None:
        """Any variant but the baseline and those being tried."""
        left = [one for one in self._variants if one not in {place.baseline, *place.pending}]
        return left[int(self._rng.integers(len(left)))] if left else None
