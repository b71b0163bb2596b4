"""The counters of one pair of variants under one snapshot version."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.arrays import FloatArray, IntArray

LEVELS = 101
"""Scores are rounded to hundredths, so that a histogram of 101 counts holds them all."""

SCORES: FloatArray = np.arange(LEVELS) / (LEVELS - 1)


DISAGREEMENT = 0.2
"""Expected squared distance between an evaluator's score and a person's, as of two that say yes or
no and differ on one answer in five; a wrong guess costs speed, never validity."""


@dataclass(frozen=True)
class Scale:
    """What the ends 0 and 1 of a stored score stand for, where they aren't themselves."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not self.low <= 0.0 < 1.0 <= self.high:
            raise ConfigError(f"scale: {self.low!r} to {self.high!r}; it holds 0 to 1")

    @property
    def width(self) -> float:
        """From the lowest value to the highest."""
        return self.high - self.low

    def value(self, stored: float) -> float:
        """What a stored score says."""
        return self.low + stored * self.width

    def stored(self, value: float) -> float:
        """The score in [0, 1] that stands for a value."""
        return (value - self.low) / self.width

    def variance(self, mean: float) -> float:
        """What to expect of a score with this mean: that of yes and no, and of the correction."""
        return (mean * (1.0 - mean) or 0.25) + DISAGREEMENT * (self.high - 1.0)


PLAIN = Scale()


@dataclass(frozen=True, eq=False)
class Tally:
    """How many units of a pair got which score while one share of traffic was in force.

    A pair under two shares is two tallies: pooling them would mistake a change of the traffic
    for an effect.
    """

    pi: float
    """Probability that a unit of the pair met the candidate, as stamped on its exposure."""
    candidate: IntArray
    """Candidate units with score k/100, at index k."""
    baseline: IntArray
    """Baseline units with score k/100, at index k."""
    candidate_unrated: int = 0
    baseline_unrated: int = 0
    f: float | None = None
    """Score that was expected of these units before they were assigned; None says nothing."""
    scale: Scale = PLAIN
    """What a score of k/100 stands for: expectations, lifts and margins are on this scale."""

    def __post_init__(self) -> None:
        if not 0.0 < self.pi < 1.0:
            raise UnmeasuredError(f"tally: pi is {self.pi!r}; a propensity lies between 0 and 1")
        if min(self.candidate_unrated, self.baseline_unrated) < 0:
            raise UnmeasuredError("tally: a number of unrated units is negative")
        object.__setattr__(self, "candidate", _counts(self.candidate, "candidate"))
        object.__setattr__(self, "baseline", _counts(self.baseline, "baseline"))

    @property
    def scores(self) -> FloatArray:
        """What each level of the counts stands for."""
        return SCORES if self.scale == PLAIN else self.scale.low + SCORES * self.scale.width

    @property
    def candidate_units(self) -> int:
        """Matured candidate units, rated or not."""
        return int(self.candidate.sum()) + self.candidate_unrated

    @property
    def baseline_units(self) -> int:
        """Matured baseline units, rated or not."""
        return int(self.baseline.sum()) + self.baseline_unrated

    def __add__(self, other: "Tally") -> "Tally":
        return merged(self, other)


def tally_of(
    pi: float,
    candidate_scores: Sequence[float] | FloatArray,
    baseline_scores: Sequence[float] | FloatArray,
    candidate_unrated: int = 0,
    baseline_unrated: int = 0,
) -> Tally:
    """Count scores in [0, 1] into a tally, each rounded to the nearest hundredth.

    Raises:
        UnmeasuredError: A score is NaN or outside [0, 1], or pi is not a propensity.
    """
    return Tally(
        pi=pi,
        candidate=_levels(candidate_scores, "candidate"),
        baseline=_levels(baseline_scores, "baseline"),
        candidate_unrated=candidate_unrated,
        baseline_unrated=baseline_unrated,
    )


def merged(a: Tally, b: Tally) -> Tally:
    """Add two tallies of one pair, propensity and expectation; their order never matters.

    Raises:
        ConfigError: The propensities, the expected scores or the scales differ.
    """
    if a.pi != b.pi:
        raise ConfigError(
            f"tallies with pi {a.pi!r} and {b.pi!r} can't be added; keep one for each version"
        )
    if a.f != b.f:
        raise ConfigError(f"tallies with f {a.f!r} and {b.f!r} can't be added; keep them apart")
    if a.scale != b.scale:
        raise ConfigError(f"tallies on {a.scale} and {b.scale} can't be added; keep them apart")
    return replace(
        a,
        candidate=a.candidate + b.candidate,
        baseline=a.baseline + b.baseline,
        candidate_unrated=a.candidate_unrated + b.candidate_unrated,
        baseline_unrated=a.baseline_unrated + b.baseline_unrated,
    )


def _levels(scores: Sequence[float] | FloatArray, side: str) -> IntArray:
    values = np.asarray(scores, dtype=np.float64)
    # A comparison with NaN is false, so the one test refuses it as well.
    bad = values[~((values >= 0.0) & (values <= 1.0))]
    if bad.size:
        raise UnmeasuredError(f"tally: a {side} score is {bad[0]}; scores lie in [0, 1]")
    levels = np.rint(values * (LEVELS - 1)).astype(np.int64)
    return np.bincount(levels, minlength=LEVELS).astype(np.int64)


def _counts(counts: IntArray, side: str) -> IntArray:
    if counts.shape != (LEVELS,):
        raise UnmeasuredError(f"tally: {side} has shape {counts.shape}; expected ({LEVELS},)")
    if not np.issubdtype(counts.dtype, np.integer) or counts.min() < 0:
        raise UnmeasuredError(f"tally: {side} holds something else than counts of units")
    frozen = counts.astype(np.int64)
    frozen.setflags(write=False)
    return frozen
