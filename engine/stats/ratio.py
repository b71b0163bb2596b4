"""The ratio of two geometric means, such as latency against the baseline's.

Versions of the snapshot are strata: each gives a difference of mean logarithms, weighed by
n1 n0 / (n1 + n0), so that a drift shared by both variants cancels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.interval import Interval
from engine.stats.moments import Moments
from engine.stats.sequence import N_MIN, one_sided_log_e, progress, two_sided_width


@dataclass(frozen=True)
class Stratum:
    """Both sides of a pair under one snapshot version."""

    candidate: Moments
    baseline: Moments


@dataclass(frozen=True)
class Side:
    """One side's mean over all strata."""

    mean: float
    variance: float
    """Squared standard error of the mean."""


@dataclass(frozen=True)
class Compared:
    """Both sides over all strata."""

    candidate: Side
    baseline: Side
    weight: float
    """Sum of n1 n0 / (n1 + n0)."""


def ratio_log_e(
    strata: Sequence[Stratum],
    *,
    r0: float = 1.2,
    planned_units: int = 2000,
    alpha: float = 0.05,
    n_min: int = N_MIN,
) -> float:
    """Return ln E against "the ratio is ``r0`` or more"; the moments are of logarithms.

    One-sided normal mixture (Waudby-Smith et al. 2024; Howard et al. 2021, section 3) of the
    stratified difference. ``alpha`` only tunes it.

    Raises:
        UnmeasuredError: A side has fewer than ``n_min`` units in versions that both served.
    """
    if not r0 > 0.0:
        raise ConfigError(f"the ratio's margin is {r0!r}; it must be above 0")
    sides = compared(strata, n_min)
    gap = sides.candidate.mean - sides.baseline.mean
    x = progress(sides.weight, planned_units, alpha, one_sided=True)
    return one_sided_log_e((math.log(r0) - gap) / _error(sides), x)


def ratio_interval(
    strata: Sequence[Stratum], *, alpha: float, planned_units: int = 2000, n_min: int = N_MIN
) -> Interval:
    """Return the two-sided sequence for the ratio; the moments are of logarithms.

    Raises:
        UnmeasuredError: A side has fewer than ``n_min`` units in versions that both served.
    """
    sides = compared(strata, n_min)
    gap = sides.candidate.mean - sides.baseline.mean
    x = progress(sides.weight, planned_units, alpha)
    half = _error(sides) * two_sided_width(x, alpha)
    return Interval(low=math.exp(gap - half), high=math.exp(gap + half), estimate=math.exp(gap))


def log_ratio(strata: Sequence[Stratum], n_min: int = N_MIN) -> tuple[float, float]:
    """Return the logarithm of the ratio and its standard error; the moments are of logarithms.

    Raises:
        UnmeasuredError: A side has fewer than ``n_min`` units, or nothing shows the spread.
    """
    sides = compared(strata, n_min)
    return sides.candidate.mean - sides.baseline.mean, _error(sides)


def compared(strata: Sequence[Stratum], n_min: int) -> Compared:
    """Weigh the strata that both sides served into one mean for each side.

    Raises:
        UnmeasuredError: A side has fewer than ``n_min`` units there.
    """
    both = [s for s in strata if s.candidate.n > 0 and s.baseline.n > 0]
    candidate = [s.candidate for s in both]
    baseline = [s.baseline for s in both]
    counts = sum(m.n for m in candidate), sum(m.n for m in baseline)
    if min(counts) < max(n_min, 1):
        raise UnmeasuredError(
            f"a ratio needs {n_min} units a side in the same versions, got "
            f"{counts[0]} and {counts[1]}"
        )
    weights = [a.n * b.n / (a.n + b.n) for a, b in zip(candidate, baseline, strict=True)]
    return Compared(
        candidate=_side(candidate, weights),
        baseline=_side(baseline, weights),
        weight=sum(weights),
    )


def _side(moments: Sequence[Moments], weights: Sequence[float]) -> Side:
    total = sum(weights)
    pairs = list(zip(moments, weights, strict=True))
    mean = sum(w * m.mean for m, w in pairs) / total
    squares = [(w / m.n) ** 2 for m, w in pairs]
    freedom = sum(s * (m.n - 1) for s, m in zip(squares, moments, strict=True))
    if freedom == 0.0:
        raise UnmeasuredError("no version has two units on one side, so nothing shows the spread")
    # A version with one unit shows no spread of its own, and short versions little of it: one
    # correction over all strata keeps the sum unbiased where one for each would not exist.
    units = sum(s * m.n for s, m in zip(squares, moments, strict=True))
    spread = sum(s * m.m2 for s, m in zip(squares, moments, strict=True))
    return Side(mean=mean, variance=spread * units / freedom / total**2)


def _error(sides: Compared) -> float:
    variance = sides.candidate.variance + sides.baseline.variance
    if variance == 0.0:
        raise UnmeasuredError("the values never vary, so the error of their ratio is unmeasured")
    return math.sqrt(variance)
