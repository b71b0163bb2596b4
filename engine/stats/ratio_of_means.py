"""The ratio of two arithmetic means, for figures that may be zero, such as cost."""

import math
from collections.abc import Sequence

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.interval import Interval
from engine.stats.ratio import Stratum, compared
from engine.stats.sequence import N_MIN, one_sided_log_e, progress, two_sided_width


def ratio_of_means_interval(
    strata: Sequence[Stratum], *, alpha: float, planned_units: int = 2000, n_min: int = N_MIN
) -> Interval:
    """Return the ratios that the data do not refuse (Fieller 1954), at every look at once.

    The critical value is that of the two-sided sequence (Waudby-Smith et al. 2024).

    Raises:
        UnmeasuredError: There are too few units, or the baseline's mean is not clearly above 0,
            so that no ratio is too large.
    """
    sides = compared(strata, n_min)
    y1, y0 = sides.candidate, sides.baseline
    c2 = two_sided_width(progress(sides.weight, planned_units, alpha), alpha) ** 2
    a = y0.mean**2 - c2 * y0.variance
    if y0.mean <= 0.0 or a <= 0.0:
        raise UnmeasuredError(
            "the ratio of means is unbounded: the baseline's mean is not clearly above 0; "
            "wait for more units"
        )
    b = y1.mean * y0.mean
    d = y1.mean**2 - c2 * y1.variance
    # Rounding alone can bring it below 0: the estimate itself always lies in the set.
    root = math.sqrt(max(b * b - a * d, 0.0))
    return Interval(low=(b - root) / a, high=(b + root) / a, estimate=y1.mean / y0.mean)


def ratio_of_means_log_e(
    strata: Sequence[Stratum],
    *,
    r0: float = 1.2,
    planned_units: int = 2000,
    alpha: float = 0.05,
    n_min: int = N_MIN,
) -> float:
    """Return ln E against "the ratio of means is ``r0`` or more".

    One-sided normal mixture of ``r0`` times the baseline's mean less the candidate's.
    ``alpha`` only tunes it.

    Raises:
        UnmeasuredError: There are too few units, or their values never vary.
    """
    if not r0 > 0.0:
        raise ConfigError(f"the ratio's margin is {r0!r}; it must be above 0")
    sides = compared(strata, n_min)
    variance = sides.candidate.variance + r0**2 * sides.baseline.variance
    if variance == 0.0:
        raise UnmeasuredError("the values never vary, so the error of their ratio is unmeasured")
    z = (r0 * sides.baseline.mean - sides.candidate.mean) / math.sqrt(variance)
    return one_sided_log_e(z, progress(sides.weight, planned_units, alpha, one_sided=True))
