"""Intervals for one look at finished data."""

import math
from collections.abc import Sequence

from scipy.special import ndtri, stdtrit

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.arrays import FloatArray
from engine.stats.interval import Interval
from engine.stats.moments import moments_of


def wilson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """Return the score interval of a rate (Wilson 1927), safe for few and for no successes.

    Raises:
        UnmeasuredError: There is no observation, or the counts contradict each other.
    """
    _check(confidence)
    if n < 1:
        raise UnmeasuredError("a rate needs at least one observation, got none")
    if not 0 <= successes <= n:
        raise UnmeasuredError(f"a rate of {successes} out of {n} can't be")
    z2 = float(ndtri((1.0 + confidence) / 2.0)) ** 2
    rate = successes / n
    middle = (rate + z2 / (2.0 * n)) / (1.0 + z2 / n)
    half = math.sqrt(z2 * (rate * (1.0 - rate) + z2 / (4.0 * n)) / n) / (1.0 + z2 / n)
    # At 0 and at n one end is the rate itself, which rounding could miss.
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == n else middle + half
    return Interval(low=low, high=high, estimate=rate)


def paired_interval(
    differences: Sequence[float] | FloatArray, confidence: float = 0.95
) -> Interval:
    """Return the interval of the mean of paired differences (Student 1908).

    Raises:
        UnmeasuredError: There are fewer than two pairs, or a difference is NaN.
    """
    _check(confidence)
    moments = moments_of(differences)
    error = math.sqrt(moments.variance / moments.n)
    half = float(stdtrit(moments.n - 1, (1.0 + confidence) / 2.0)) * error
    return Interval(low=moments.mean - half, high=moments.mean + half, estimate=moments.mean)


def _check(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise ConfigError(f"confidence is {confidence!r}; it lies between 0 and 1")
