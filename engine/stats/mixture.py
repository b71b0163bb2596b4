"""Boundaries that a sum stays below at every look: what Trimtab shows or tests rates with.

Each mixture is a supermartingale that starts at one and averages bets on every size of effect;
where its logarithm reaches ln 1/alpha is a bound that holds at all times at once (Ville 1939).
Howard, Ramdas, McAuliffe & Sekhon (2021, Annals of Statistics) for sums, Howard & Ramdas (2022,
Bernoulli) for quantiles and distributions.

``s`` is a sum of centred values, ``v`` its intrinsic variance (of n indicators of rate p:
n p (1 - p)), both in the values' own units. ``rho`` says at which variance a bound is tightest.
"""

import math
from collections.abc import Callable

from scipy.special import betainc, betaln, gammainc, gammaincc, gammaln

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.crossing import crossing
from engine.stats.interval import Interval
from engine.stats.sequence import (
    best_rho,
    one_sided_log_e,
    one_sided_width,
    two_sided_log_e,
    two_sided_width,
)

LEAST_PRIOR = 1e-3
"""The least prior variance of a beta-binomial mixture, in variances of one observation."""
BELOW_ONE = math.nextafter(1.0, 0.0)


def tuned_rho(v_opt: float, alpha: float, *, one_sided: bool = False) -> float:
    """Return the rho that makes a bound tightest, or nearly so, at variance ``v_opt``.

    Howard et al. (2021), section 3: a one-sided bound is tuned as a two-sided one at 2 alpha.

    Raises:
        ConfigError: ``v_opt`` is not above 0, or alpha (one-sided: 2 alpha) not in (0, 1).
    """
    require_positive(v_opt=v_opt)
    return best_rho(v_opt, 2.0 * alpha if one_sided else alpha)


def normal_log_e(s: float, v: float, *, rho: float, one_sided: bool = False) -> float:
    """Return ln E of the normal mixture, for sub-Gaussian sums (Howard et al. 2021, section 3).

    Raises:
        ConfigError: ``v`` or ``rho`` is not above 0.
    """
    require_positive(v=v, rho=rho)
    log_e = one_sided_log_e if one_sided else two_sided_log_e
    return log_e(s / math.sqrt(v), v / rho)


def normal_bound(v: float, *, alpha: float, rho: float, one_sided: bool = False) -> float:
    """Return the sum that the normal mixture refuses at ``alpha``; ``v`` is above 0.

    Raises:
        ConfigError: ``v`` or ``rho`` is not above 0, or alpha not in (0, 1).
    """
    require_positive(v=v, rho=rho)
    nats_of(alpha)
    width = one_sided_width if one_sided else two_sided_width
    return math.sqrt(v) * width(v / rho, alpha)


def gamma_exponential_log_e(s: float, v: float, *, rho: float, c: float) -> float:
    """Return ln E of the gamma-exponential mixture, one-sided, for sums with a heavy upper tail.

    ``c`` is the scale of the sub-exponential tail, in units of ``s``.
    -inf is evidence too small for a float. Howard et al. (2021), appendix A.3.

    Raises:
        ConfigError: ``v``, ``rho`` or ``c`` is not above 0.
        UnmeasuredError: ``s`` is not above -(v + rho) / c.
    """
    require_positive(v=v, rho=rho, c=c)
    prior, shape = rho / (c * c), (v + rho) / (c * c)
    rate = s / c + shape
    _possible(s, v, rate)
    # A prior cut off at zero leaves a part of each gamma function: the lower one.
    parts = _log(gammainc(shape, rate)) - _log(gammainc(prior, prior))
    return parts + _log_gamma_integral(shape, rate) - _log_gamma_integral(prior, prior)


def gamma_exponential_bound(v: float, *, alpha: float, rho: float, c: float) -> float:
    """Return the sum that the gamma-exponential mixture refuses at ``alpha``.

    Raises:
        ConfigError: ``v``, ``rho`` or ``c`` is not above 0, or alpha not in (0, 1).
    """
    return _bound(lambda s: gamma_exponential_log_e(s, v, rho=rho, c=c), v, alpha)


def gamma_poisson_log_e(s: float, v: float, *, rho: float, c: float) -> float:
    """Return ln E of the gamma-Poisson mixture, one-sided, for sums with steps of at most ``c``.

    -inf is evidence too small for a float. Howard et al. (2021), appendix A.3.

    Raises:
        ConfigError: ``v``, ``rho`` or ``c`` is not above 0.
        UnmeasuredError: ``s`` is not above -(v + rho) / c.
    """
    require_positive(v=v, rho=rho, c=c)
    prior, rate = rho / (c * c), (v + rho) / (c * c)
    shape = s / c + rate
    _possible(s, v, shape)
    # A prior cut off at zero leaves a part of each gamma function: the upper one.
    parts = _log(gammaincc(shape, rate)) - _log(gammaincc(prior, prior))
    return parts + _log_gamma_integral(shape, rate) - _log_gamma_integral(prior, prior)


def gamma_poisson_bound(v: float, *, alpha: float, rho: float, c: float) -> float:
    """Return the sum that the gamma-Poisson mixture refuses at ``alpha``.

    Raises:
        ConfigError: ``v``, ``rho`` or ``c`` is not above 0, or alpha not in (0, 1).
    """
    return _bound(lambda s: gamma_poisson_log_e(s, v, rho=rho, c=c), v, alpha)


def beta_binomial_log_e(
    s: float, v: float, *, g: float, h: float, rho: float, one_sided: bool = False
) -> float:
    """Return ln E of the beta-binomial mixture, for sums of values in [-g, h]; large for large s.

    Of n values, ``v`` is n g h and ``s`` lies in [-v / h, v / g]; counts of rate p less n p have
    g = p and h = 1 - p. One-sided, -inf is evidence too small for a float. Howard et al. (2021),
    propositions 7 and 8.

    Raises:
        ConfigError: ``v``, ``g``, ``h`` or ``rho`` is not above 0.
        UnmeasuredError: ``s`` can't be a sum of such values.
    """
    require_positive(v=v, g=g, h=h, rho=rho)
    span = g + h
    ups, downs = (v + h * s) / (h * span), (v - g * s) / (g * span)
    # Rounding may leave a count a hair below zero.
    _possible(s, v, min(ups, downs) + LEAST_PRIOR)
    p, rho = g / span, rho / (span * span)
    return count_log_e(max(ups, 0.0), max(downs, 0.0), p=p, rho=rho, one_sided=one_sided)


def count_log_e(
    successes: float, failures: float, *, p: float, rho: float, one_sided: bool = False
) -> float:
    """Return ln E of the beta-binomial mixture in two counts, against their rate being ``p``.

    Large for a greater rate, and two-sided for a lower one as well; no units give 0. Here ``rho``
    is in variances of counts, such as `tuned_rho` of n p (1 - p).

    Raises:
        ConfigError: ``p`` does not lie between 0 and 1, or ``rho`` is not above 0.
        UnmeasuredError: A count is below 0.
    """
    if min(successes, failures) < 0.0:
        raise UnmeasuredError(f"counts of {successes} and {failures} can't be")
    if not 0.0 < p < 1.0:
        raise ConfigError(f"a rate to test is {p!r}; it lies between 0 and 1")
    require_positive(rho=rho)
    q = 1.0 - p
    # The prior is worth rho less one unit, and exists however small rho is.
    rest = max(rho - p * q, LEAST_PRIOR * p * q)
    a, b = rest / p, rest / q
    x = q if one_sided else 1.0
    return (
        _log_incomplete_beta(a + failures, b + successes, x)
        - _log_incomplete_beta(a, b, x)
        - successes * math.log(p)
        - failures * math.log(q)
    )


def beta_binomial_bound(
    v: float, *, alpha: float, g: float, h: float, rho: float, one_sided: bool = False
) -> float:
    """Return the sum that the beta-binomial mixture refuses, or v / g, the greatest that can be.

    Raises:
        ConfigError: ``v``, ``g``, ``h`` or ``rho`` is not above 0, or alpha not in (0, 1).
    """
    nats = nats_of(alpha)
    require_positive(v=v, g=g)

    def left(s: float) -> float:
        return nats - beta_binomial_log_e(s, v, g=g, h=h, rho=rho, one_sided=one_sided)

    return crossing(left, 0.0, v / g)


def bernoulli_interval(successes: int, n: int, *, alpha: float, planned_units: int) -> Interval:
    """Return the interval of a rate that holds at every look at once, exactly and for any ``n``.

    The rates whose two-sided beta-binomial mixture has not reached 1/alpha. ``planned_units`` is
    the number of units at which it is tightest. Howard et al. (2021), proposition 7.

    Raises:
        ConfigError: alpha does not lie between 0 and 1, or ``planned_units`` is below 1.
        UnmeasuredError: There is no unit, or the counts contradict each other.
    """
    if n < 1:
        raise UnmeasuredError("a rate needs at least one observation, got none")
    if not 0 <= successes <= n:
        raise UnmeasuredError(f"a rate of {successes} out of {n} can't be")
    require_positive(planned_units=planned_units)
    low = _least_rate(successes, n, alpha, planned_units)
    high = 1.0 - _least_rate(n - successes, n, alpha, planned_units)
    return Interval(low=low, high=high, estimate=successes / n)


def _least_rate(successes: int, n: int, alpha: float, planned_units: int) -> float:
    nats = nats_of(alpha)

    def excess(p: float) -> float:
        if p == 0.0:
            return math.inf
        rho = tuned_rho(p * (1.0 - p) * planned_units, alpha)
        return count_log_e(successes, n - successes, p=p, rho=rho) - nats

    if successes == 0:
        return 0.0
    return crossing(excess, 0.0, min(successes / n, BELOW_ONE))


def _bound(log_e: Callable[[float], float], v: float, alpha: float) -> float:
    nats = nats_of(alpha)
    high = v
    while log_e(high) < nats:
        high *= 2.0
    return crossing(lambda s: nats - log_e(s), 0.0, high)


def _log_gamma_integral(shape: float, rate: float) -> float:
    return float(gammaln(shape)) - shape * math.log(rate) + rate


def _log_incomplete_beta(a: float, b: float, x: float) -> float:
    return float(betaln(a, b)) + _log(betainc(a, b, x))


def _log(part: float) -> float:
    return math.log(part) if part > 0.0 else -math.inf


def nats_of(alpha: float) -> float:
    """Return ln 1/alpha, the evidence that refuses at ``alpha``.

    Raises:
        ConfigError: alpha does not lie between 0 and 1.
    """
    if not 0.0 < alpha < 1.0:
        raise ConfigError(f"alpha is {alpha!r}; it lies between 0 and 1")
    return math.log(1.0 / alpha)


def require_positive(**figures: float) -> None:
    """Refuse figures that are not above 0.

    Raises:
        ConfigError: One is not.
    """
    for name, figure in figures.items():
        if not 0.0 < figure < math.inf:
            raise ConfigError(f"mixture: {name} is {figure!r}; it lies above 0")


def _possible(s: float, v: float, left: float) -> None:
    if not left > 0.0:
        raise UnmeasuredError(f"mixture: a sum of {s!r} at a variance of {v!r} can't be")
