"""Count, mean and spread of a figure, mergeable in any order."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import UnmeasuredError
from engine.stats.arrays import FloatArray


@dataclass(frozen=True)
class Moments:
    """What means and intervals need to know of many values; ``n`` 0 is "none yet"."""

    n: int
    mean: float
    m2: float
    """Sum of squared distances from the mean."""

    @property
    def variance(self) -> float:
        """Unbiased sample variance.

        Raises:
            UnmeasuredError: There are fewer than two values.
        """
        if self.n < 2:
            raise UnmeasuredError(f"a variance needs two values, got {self.n}")
        return self.m2 / (self.n - 1)


def moments_of(values: Sequence[float] | FloatArray) -> Moments:
    """Sum up values.

    Raises:
        UnmeasuredError: A value is NaN or infinite.
    """
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise UnmeasuredError("moments: a value is NaN or infinite; leave unmeasured units out")
    if array.size == 0:
        return Moments(n=0, mean=0.0, m2=0.0)
    mean = float(array.mean())
    return Moments(n=array.size, mean=mean, m2=float(((array - mean) ** 2).sum()))


def merged(a: Moments, b: Moments) -> Moments:
    """Add two sets of values (Chan, Golub & LeVeque 1983)."""
    n = a.n + b.n
    if n == 0:
        return a
    gap = b.mean - a.mean
    return Moments(n=n, mean=a.mean + gap * b.n / n, m2=a.m2 + b.m2 + gap * gap * a.n * b.n / n)
