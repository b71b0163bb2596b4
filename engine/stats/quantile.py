"""How slow the slow units are: quantiles of latencies, watched at every look.

Latencies are counted in bins of equal ratio, so that replicas and days merge by addition, and an
interval of a quantile lies between two order statistics: the true quantile has a part ``p`` of all
units below it, so the units below it are a count of a known rate (Howard & Ramdas 2022,
Bernoulli). A bin blurs by 3.7 %, and the ends of an interval are the outer edges of their bins,
so that the blur costs width, never coverage.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.arrays import FloatArray
from engine.stats.interval import Interval
from engine.stats.mixture import count_log_e, tuned_rho

BINS_A_DECADE = 64
LOWEST_DECADE, HIGHEST_DECADE = -3, 4
BINS = BINS_A_DECADE * (HIGHEST_DECADE - LOWEST_DECADE)
EDGES_S = tuple(10.0 ** (LOWEST_DECADE + i / BINS_A_DECADE) for i in range(BINS + 1))
"""Edges of the bins in seconds, from 1 ms to 10 000 s."""


@dataclass(frozen=True)
class Histogram:
    """How many latencies fell into each bin; a latency on an edge falls into the bin above."""

    counts: tuple[int, ...] = (0,) * (BINS + 2)
    """First what is below 1 ms, last what is 10 000 s or more."""

    def __post_init__(self) -> None:
        if len(self.counts) != BINS + 2 or min(self.counts) < 0:
            raise UnmeasuredError(f"a histogram has {BINS + 2} counts, none of them below 0")

    @property
    def n(self) -> int:
        """Number of latencies."""
        return sum(self.counts)


def histogram_of(values: Sequence[float] | FloatArray) -> Histogram:
    """Count latencies, in seconds.

    Raises:
        UnmeasuredError: A latency is NaN, infinite or below 0.
    """
    array = np.asarray(values, dtype=np.float64)
    if not (np.isfinite(array) & (array >= 0.0)).all():
        raise UnmeasuredError("a latency is NaN, infinite or below 0; leave unmeasured units out")
    bins = np.searchsorted(EDGES_S, array, side="right")
    return Histogram(counts=tuple(np.bincount(bins, minlength=BINS + 2).tolist()))


def merged(a: Histogram, b: Histogram) -> Histogram:
    """Add two sets of latencies; the order of merging never matters."""
    return Histogram(counts=tuple(x + y for x, y in zip(a.counts, b.counts, strict=True)))


def quantile_interval(
    histogram: Histogram, p: float, *, alpha: float, planned_units: float
) -> Interval:
    """Return the interval, in seconds, of the quantile ``p`` that holds at every look at once.

    ``planned_units`` is the number of these units at which it is tightest. Few units leave the
    low end at 0; they leave the high end open, which is refused: of 2000 planned units it takes
    234 for p = 0.95, and 672 for p = 0.99, at alpha = 0.05. Howard & Ramdas (2022), theorem 1,
    with one-sided beta-binomial mixtures at alpha / 2 an end.

    Raises:
        ConfigError: ``p`` does not lie between 0 and 1, alpha not between 0 and 1/2, or
            ``planned_units`` is not above 0.
        UnmeasuredError: There is not enough data for a high end.
    """
    _check(p)
    n = histogram.n
    high_rank = _first_refused(n, p, alpha, planned_units)
    if high_rank > n:
        raise UnmeasuredError(f"not enough data: {n} units leave the quantile {p} open above")
    low_rank = n + 1 - _first_refused(n, 1.0 - p, alpha, planned_units)
    return Interval(
        low=_edges_of(histogram, low_rank)[0] if low_rank > 0 else 0.0,
        high=_edges_of(histogram, high_rank)[1],
        estimate=sum(_edges_of(histogram, math.ceil(n * p))) / 2.0,
    )


def quantile_ratio_interval(
    candidate: Histogram, baseline: Histogram, p: float, *, alpha: float, planned_units: int
) -> Interval:
    """Return the interval of the candidate's quantile over the baseline's, valid at every look.

    ``planned_units`` counts units of the pair at an even split. Each side has its own interval at
    alpha / 2, so the two need no common clock.

    Raises:
        ConfigError: ``p`` or alpha does not lie between 0 and 1, or ``planned_units`` is below 1.
        UnmeasuredError: There is not enough data for an end.
    """
    above, below = (
        quantile_interval(side, p, alpha=alpha / 2.0, planned_units=planned_units / 2.0)
        for side in (candidate, baseline)
    )
    if below.low == 0.0:
        raise UnmeasuredError("not enough data: the baseline's quantile is not known to exceed 0")
    return Interval(
        low=above.low / below.high,
        high=above.high / below.low,
        estimate=above.estimate / below.estimate,
    )


def same_quantile_log_e(
    candidate: Sequence[int],
    baseline: Sequence[int],
    p: float,
    *,
    alpha: float,
    planned_units: float,
) -> float:
    """Return ln E against "both have the same quantile ``p``"; large means that they differ.

    Counts are by bins in rising order, the same for both, such as those of two histograms. The
    least over all values that the quantile could have of the two sides' mixtures multiplied:
    Howard & Ramdas (2022). alpha and ``planned_units`` of a side only tune it.

    Raises:
        ConfigError: ``p`` or alpha does not lie between 0 and 1, or ``planned_units`` is not
            above 0.
        UnmeasuredError: A side has no unit, or the sides' bins differ in number.
    """
    _check(p)
    if not sum(candidate) or not sum(baseline) or len(candidate) != len(baseline):
        raise UnmeasuredError("two quantiles need units on both sides, counted in the same bins")
    rho = tuned_rho(p * (1.0 - p) * planned_units, alpha)
    sides = zip(_log_e_by_bin(candidate, p, rho), _log_e_by_bin(baseline, p, rho), strict=True)
    return min(above + below for above, below in sides)


def _first_refused(n: int, p: float, alpha: float, planned_units: float) -> int:
    """The least count of ``n`` that is too many for a rate ``p``; n + 1 if none is."""
    if not 0.0 < alpha < 0.5:
        raise ConfigError(f"alpha is {alpha!r}; of two ends it lies between 0 and 1/2")
    rho = tuned_rho(p * (1.0 - p) * planned_units, alpha, one_sided=True)
    log_e = _log_e_of_count(n, p, rho, one_sided=True)
    return bisect_left(range(n + 1), math.log(2.0 / alpha), key=log_e)


def _log_e_by_bin(counts: Sequence[int], p: float, rho: float) -> list[float]:
    n = sum(counts)
    log_e = _log_e_of_count(n, p, rho, one_sided=False)
    likeliest = bisect_left(range(n), 0.0, key=lambda count: log_e(count + 1) - log_e(count))
    # A quantile inside a bin may have any count below it from that of the bins before.
    ends = pairwise(accumulate(counts, initial=0))
    return [log_e(min(max(likeliest, least), most)) for least, most in ends]


def _log_e_of_count(n: int, p: float, rho: float, *, one_sided: bool) -> Callable[[int], float]:
    """The evidence in a count of ``n`` against its rate being ``p``."""

    def log_e(count: int) -> float:
        return count_log_e(count, n - count, p=p, rho=rho, one_sided=one_sided)

    return log_e


def _edges_of(histogram: Histogram, rank: int) -> tuple[float, float]:
    """The bin of the value that is ``rank``-th from below, counted from 1."""
    place = bisect_left(list(accumulate(histogram.counts)), rank)
    if place > BINS:
        raise UnmeasuredError(f"a quantile lies at {EDGES_S[-1]:.0f} s or more, beyond all bins")
    return (EDGES_S[place - 1] if place else 0.0), EDGES_S[place]


def _check(p: float) -> None:
    if not 0.0 < p < 1.0:
        raise ConfigError(f"a quantile lies between 0 and 1, got {p!r}")
