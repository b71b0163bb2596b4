"""Intervals and tests that stay valid while one watches, for many units.

All of it is the normal mixture of Robbins (1970) with the variance plugged in: Waudby-Smith,
Arbour, Sinha, Kennedy & Ramdas (2024, Annals of Statistics). ``x`` is the variance seen so far
over the mixture's rho, and ``z`` the sum over the root of that variance. The promise is asymptotic,
so a side with few units is refused.

``planned_units`` is where an interval is tightest, in units of the pair at an even split; too
small costs less than too large.
"""

import math
from collections.abc import Sequence

from scipy.special import lambertw, log_ndtr, ndtri

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.crossing import crossing
from engine.stats.estimate import overlap_of
from engine.stats.interval import Interval
from engine.stats.moments import Moments
from engine.stats.pseudo import Centre, centre_of
from engine.stats.tally import SCORES, Tally

N_MIN = 200
OUTCOME_MIN = 50


def mean_interval(
    moments: Moments, *, alpha: float, planned_units: int, n_min: int = N_MIN
) -> Interval:
    """Return the two-sided sequence for a mean (Waudby-Smith et al. 2024, Theorem 2.2).

    Raises:
        UnmeasuredError: There are fewer than ``n_min`` values.
    """
    if moments.n < n_min:
        raise UnmeasuredError(f"an interval needs {n_min} values, got {moments.n}")
    x = kappa(alpha, exact=True) * moments.n / planned_units
    half = math.sqrt(moments.variance / moments.n) * two_sided_width(x, alpha)
    return Interval(low=moments.mean - half, high=moments.mean + half, estimate=moments.mean)


def difference_interval(
    tallies: Sequence[Tally],
    *,
    f: float | Centre | None,
    alpha: float,
    planned_units: int,
    n_min: int = N_MIN,
    outcome_min: int = OUTCOME_MIN,
) -> Interval:
    """Return the two-sided sequence for a lift under changing shares.

    The martingale is that of the overlap-weighted outcomes (Waudby-Smith et al. 2024, the
    Lyapunov form, which covers the running average of a lift that drifts).

    Raises:
        UnmeasuredError: A side has fewer than ``n_min`` units, or the pair fewer than
            ``outcome_min`` good or bad scores.
    """
    _refuse_few(tallies, n_min, outcome_min)
    overlap = overlap_of(tallies, f=f)
    if overlap.variance == 0.0:
        raise UnmeasuredError("no score differs from the baseline's mean: no spread to go by")
    rho = best_rho(centre_of(f).variance * planned_units / 4.0, alpha, exact=True)
    width = two_sided_width(overlap.variance / rho, alpha)
    half = math.sqrt(overlap.variance) * width / overlap.weight
    return Interval(low=overlap.lift - half, high=overlap.lift + half, estimate=overlap.lift)


def kappa(alpha: float, *, exact: bool = False) -> float:
    """Return the ratio of variance to rho at which a two-sided bound is tightest.

    Howard, Ramdas, McAuliffe & Sekhon (2021, Annals of Statistics), section 3: exactly by the
    lower branch of Lambert's W, or by its first terms, which one-sided tests are tuned with.
    """
    if not 0.0 < alpha < 1.0:
        raise ConfigError(f"alpha is {alpha!r}; it lies between 0 and 1")
    if exact:
        return -float(lambertw(-alpha * alpha / math.e, -1).real) - 1.0
    nats = 2.0 * math.log(1.0 / alpha)
    return nats + math.log1p(nats)


def best_rho(v_opt: float, alpha: float, *, exact: bool = False) -> float:
    """Return the rho that makes a two-sided bound tightest at variance ``v_opt``."""
    return v_opt / kappa(alpha, exact=exact)


def two_sided_log_e(z: float, x: float) -> float:
    """Return ln E of the two-sided normal mixture (Howard et al. 2021, equation 14)."""
    return (z * z * x / (1.0 + x) - math.log1p(x)) / 2.0


def one_sided_log_e(z: float, x: float) -> float:
    """Return ln E of the one-sided normal mixture, large for large ``z``.

    Howard et al. (2021), section 3; its rho is that of a two-sided bound at twice alpha.
    """
    shrink = x / (1.0 + x)
    tail = float(log_ndtr(z * math.sqrt(shrink)))
    return (math.log(4.0) - math.log1p(x) + z * z * shrink) / 2.0 + tail


def two_sided_width(x: float, alpha: float) -> float:
    """Return the half-width of the two-sided sequence in standard errors."""
    return math.sqrt((x + 1.0) / x * (math.log1p(x) + 2.0 * math.log(1.0 / alpha)))


def one_sided_width(x: float, alpha: float) -> float:
    """Return the distance of the one-sided bound in standard errors."""
    # Without the tail the mixture is never smaller, and its bound is then explicit.
    most = two_sided_width(x, alpha)
    return crossing(lambda z: -math.log(alpha) - one_sided_log_e(z, x), 0.0, most)


def progress(weight: float, planned_units: int, alpha: float, *, one_sided: bool = False) -> float:
    """Return ``x`` for a weight of sum n1 n0 / (n1 + n0) over versions.

    An even split has a quarter of its units for weight, hence the 4.
    """
    tuned = kappa(2.0 * alpha) if one_sided else kappa(alpha, exact=True)
    return tuned * 4.0 * weight / planned_units


def width_ratio(part: float, alpha: float, *, one_sided: bool = False) -> float:
    """Return the price of looking always: the width over that of one look at a fixed time.

    ``part`` is the time over the time that the sequence was tuned for.
    """
    if one_sided:
        return one_sided_width(kappa(2.0 * alpha) * part, alpha) / -float(ndtri(alpha))
    return two_sided_width(kappa(alpha, exact=True) * part, alpha) / -float(ndtri(alpha / 2.0))


def _refuse_few(tallies: Sequence[Tally], n_min: int, outcome_min: int) -> None:
    candidate = sum(tally.candidate_units for tally in tallies)
    baseline = sum(tally.baseline_units for tally in tallies)
    if min(candidate, baseline) < n_min:
        raise UnmeasuredError(
            f"an interval needs {n_min} units a side, got {candidate} and {baseline}"
        )
    counts = sum(tally.candidate + tally.baseline for tally in tallies)
    good = float((counts * SCORES).sum())
    bad = float((counts * (1.0 - SCORES)).sum())
    if min(good, bad) < outcome_min:
        raise UnmeasuredError(
            f"an interval needs {outcome_min} of each outcome, got {good:.0f} and {bad:.0f}"
        )
