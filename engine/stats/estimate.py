"""The lift of a candidate over its baseline, with its standard error."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from engine.errors import UnmeasuredError
from engine.stats.arrays import FloatArray, IntArray
from engine.stats.pseudo import Centre, centre_of, middle_of, pseudo_of
from engine.stats.tally import Tally


@dataclass(frozen=True)
class Estimate:
    """What a candidate changed, on the scale of the score.

    The means weigh versions by the overlap of the pair, as the lift does, and hold unrated units
    at the baseline's frozen mean of their kind.
    """

    lift: float
    se: float
    candidate_mean: float
    baseline_mean: float
    candidate_units: int
    """Matured units, rated or not."""
    baseline_units: int
    """Matured units, rated or not."""


@dataclass(frozen=True)
class Overlap:
    """A lift with the sums behind it."""

    lift: float
    weight: float
    """Sum of pi(1 - pi) over the units."""
    variance: float
    """Sum of the squared, weighted distances from the lift."""


def estimate(tallies: Sequence[Tally], *, f: float | Centre | None) -> Estimate:
    """Measure the lift over versions with different shares, by overlap weights.

    The weights pi(1 - pi) are those of Li, Morgan & Zaslavsky (2018); they are known before the
    outcomes, so they bias nothing.

    Raises:
        UnmeasuredError: A side has no rated unit, or no score differs from ``f``.
    """
    overlap = overlap_of(tallies, f=f)
    if overlap.variance == 0.0:
        raise UnmeasuredError(f"every score equals {f!r}: the error of the lift is unmeasured")
    centre = centre_of(f)
    candidate = [
        _Side(t.scores, t.candidate, t.candidate_unrated, middle_of(t, centre), 1.0 - t.pi)
        for t in tallies
    ]
    baseline = [
        _Side(t.scores, t.baseline, t.baseline_unrated, middle_of(t, centre), t.pi) for t in tallies
    ]
    return Estimate(
        lift=overlap.lift,
        se=math.sqrt(overlap.variance) / overlap.weight,
        candidate_mean=_mean(candidate),
        baseline_mean=_mean(baseline),
        candidate_units=sum(tally.candidate_units for tally in tallies),
        baseline_units=sum(tally.baseline_units for tally in tallies),
    )


def overlap_of(tallies: Sequence[Tally], *, f: float | Centre | None) -> Overlap:
    """Sum the weighted outcomes of all units.

    Raises:
        UnmeasuredError: A side has no rated unit.
    """
    if not any(tally.candidate.any() for tally in tallies):
        raise UnmeasuredError("the candidate has no rated unit yet, so its lift is unmeasured")
    if not any(tally.baseline.any() for tally in tallies):
        raise UnmeasuredError("the baseline has no rated unit yet, so the lift is unmeasured")
    pseudo = pseudo_of(tallies, f)
    h = (pseudo.pi * (1.0 - pseudo.pi))[:, None]
    weight = float((h * pseudo.counts).sum())
    lift = float((h * pseudo.counts * pseudo.values).sum()) / weight
    variance = float((h**2 * pseudo.counts * (pseudo.values - lift) ** 2).sum())
    return Overlap(lift=lift, weight=weight, variance=variance)


class _Side(NamedTuple):
    """One variant's units of one tally."""

    scores: FloatArray
    counts: IntArray
    unrated: int
    middle: float
    """What unrated units stand at."""
    weight: float


def _mean(sides: Sequence[_Side]) -> float:
    total = 0.0
    weight = 0.0
    for side in sides:
        total += side.weight * (
            float(np.dot(side.counts, side.scores)) + side.unrated * side.middle
        )
        weight += side.weight * (int(side.counts.sum()) + side.unrated)
    return total / weight
