"""A few looks planned in advance: less traffic at the planned effect, and no way to go on.

A z statistic is watched at fixed parts of a fixed number of units. Its sums move like a Brownian
motion, whose chance of crossing bounds at some look is integrated look by look (Armitage,
McPherson & Rowe 1969, JRSS A). Bounds either spend a risk by a function of time (Lan & DeMets
1983, Biometrika) or have a fixed shape (O'Brien & Fleming 1979; Pocock 1977).

``fractions`` are the looks' parts of all units, rising to 1; ``drift`` is the mean of z at the
last look.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from scipy.special import ndtr, ndtri

from engine.errors import ConfigError
from engine.stats.arrays import FloatArray
from engine.stats.crossing import crossing

Spending = Literal["obf", "pocock"]
NODES, WEIGHTS = np.polynomial.legendre.leggauss(256)
CLOSEST = 0.001
"""Between two looks, or the integral would overspend (by a fifth at 0.0001)."""
FARTHEST = 9.0
"""Standard deviations beyond which a sum has no chance worth counting."""


def spent(fractions: Sequence[float], *, alpha: float, spending: Spending = "obf") -> FloatArray:
    """Return the risk spent up to each look, one-sided, by a function of time.

    ``obf`` is 2 - 2 Phi(z / sqrt(t)) with z the quantile of 1 - alpha / 2, which spends next to
    nothing early; ``pocock`` is alpha ln(1 + (e - 1) t) (Lan & DeMets 1983, equations 4 and 5).

    Raises:
        ConfigError: ``alpha`` or the fractions are out of range.
    """
    times = _checked(fractions, alpha)
    if spending == "pocock":
        shared: FloatArray = alpha * np.log1p((math.e - 1.0) * times)
        return shared
    late: FloatArray = 2.0 * ndtr(-float(ndtri(1.0 - alpha / 2.0)) / np.sqrt(times))
    return late


def spending_bounds(
    fractions: Sequence[float], *, alpha: float, spending: Spending = "obf"
) -> tuple[float, ...]:
    """Return the z that each look has to reach, one-sided, for the risk of a spending function.

    Raises:
        ConfigError: ``alpha`` or the fractions are out of range.
    """
    times = _checked(fractions, alpha)
    risks = np.diff(spent(fractions, alpha=alpha, spending=spending), prepend=0.0)
    walk = _Walk(two_sided=False)
    bounds = []
    for time, risk in zip(times, risks, strict=True):
        edge = _edge(walk.ahead(time), float(risk))
        bounds.append(edge / math.sqrt(time))
        walk.stop(time, edge)
    return tuple(bounds)


def obrien_fleming(looks: int, *, alpha: float, two_sided: bool = True) -> float:
    """Return C of the bounds C sqrt(K / k) of K equal looks (O'Brien & Fleming 1979).

    Raises:
        ConfigError: ``looks`` is below 1, or ``alpha`` out of range.
    """
    return _constant(looks, alpha, two_sided=two_sided, shape=lambda t: 1.0 / math.sqrt(t))


def pocock(looks: int, *, alpha: float, two_sided: bool = True) -> float:
    """Return the z that every one of K equal looks has to reach (Pocock 1977).

    Raises:
        ConfigError: ``looks`` is below 1, or ``alpha`` out of range.
    """
    return _constant(looks, alpha, two_sided=two_sided, shape=lambda t: 1.0)


def crossing_chances(
    bounds: Sequence[float],
    fractions: Sequence[float],
    *,
    drift: float = 0.0,
    two_sided: bool = False,
) -> tuple[float, ...]:
    """Return the chance of each look to be the first that reaches its bound.

    Raises:
        ConfigError: The bounds and the fractions don't match, or are out of range.
    """
    times = _checked(fractions, 0.5)
    if len(bounds) != times.size:
        raise ConfigError(f"{len(bounds)} bounds for {times.size} looks; give one each")
    walk = _Walk(two_sided=two_sided, drift=drift)
    chances = []
    for time, bound in zip(times, bounds, strict=True):
        edge = bound * math.sqrt(time)
        chances.append(walk.ahead(time)(edge))
        walk.stop(time, edge)
    return tuple(chances)


def drift_of(power: float, bounds: Sequence[float], fractions: Sequence[float]) -> float:
    """Return the drift that some look finds with chance ``power``, one-sided.

    A test of one look needs the drift z_alpha + z_power; the square of the ratio of the two is
    how many times the units a plan of several looks may need at most.

    Raises:
        ConfigError: ``power`` does not lie between 0 and 1.
    """
    if not 0.0 < power < 1.0:
        raise ConfigError(f"power is {power!r}; it lies between 0 and 1")

    def missing(drift: float) -> float:
        return power - sum(crossing_chances(bounds, fractions, drift=drift))

    return crossing(missing, -FARTHEST, 2.0 * FARTHEST)


class _Walk:
    """Where a sum may be that no look has stopped yet."""

    def __init__(self, *, two_sided: bool, drift: float = 0.0) -> None:
        self._two_sided = two_sided
        self._drift = drift
        self._time = 0.0
        self._at: FloatArray = np.zeros(1)
        self._mass: FloatArray = np.ones(1)

    def ahead(self, time: float) -> Callable[[float], float]:
        """The chance of being at an edge or beyond at this time, and at none before."""
        means = self._at + self._drift * (time - self._time)
        sd = math.sqrt(time - self._time)

        def chance(edge: float) -> float:
            beyond = ndtr((means - edge) / sd)
            if self._two_sided:
                beyond = beyond + ndtr((-edge - means) / sd)
            return float(beyond @ self._mass)

        return chance

    def stop(self, time: float, edge: float) -> None:
        """Go on from this time with the sums that are within the edge."""
        step, middle = time - self._time, self._drift * time
        reach = FARTHEST * math.sqrt(time)
        low = max(-edge, middle - reach) if self._two_sided else middle - reach
        high = max(min(edge, middle + reach), low)
        points = low + (high - low) * (NODES + 1.0) / 2.0
        away = points[:, None] - self._at - self._drift * step
        density = np.exp(-(away**2) / (2.0 * step)) / math.sqrt(2.0 * math.pi * step)
        self._mass = density @ self._mass * WEIGHTS * (high - low) / 2.0
        self._at, self._time = points, time


def _edge(ahead: Callable[[float], float], risk: float) -> float:
    """The sum that is reached with this chance."""
    return crossing(lambda edge: ahead(edge) - risk, -FARTHEST, FARTHEST)


def _constant(
    looks: int, alpha: float, *, two_sided: bool, shape: Callable[[float], float]
) -> float:
    if looks < 1:
        raise ConfigError(f"looks is {looks}; plan at least one")
    fractions = [look / looks for look in range(1, looks + 1)]
    _checked(fractions, alpha)

    def left(constant: float) -> float:
        bounds = [constant * shape(time) for time in fractions]
        return sum(crossing_chances(bounds, fractions, two_sided=two_sided)) - alpha

    return crossing(left, 0.0, FARTHEST)


def _checked(fractions: Sequence[float], alpha: float) -> FloatArray:
    times = np.asarray(fractions, dtype=np.float64)
    if not 0.0 < alpha < 1.0:
        raise ConfigError(f"alpha is {alpha!r}; it lies between 0 and 1")
    rising = times.size > 0 and times[0] > 0.0 and bool((np.diff(times) > 0.0).all())
    if not rising or not math.isclose(float(times[-1]), 1.0):
        raise ConfigError(f"fractions are {tuple(fractions)}; they rise from above 0 to 1")
    if float(np.diff(times, prepend=0.0).min()) < CLOSEST:
        why = f"two looks lie less than {CLOSEST} apart, too close to integrate between"
        raise ConfigError(f"fractions are {tuple(fractions)}; {why}")
    return times
