"""Boundaries that grow no faster than they must: by the law of the iterated logarithm.

They hold from a least time on for ever, and are wider than a mixture's at any time that one plans
for. Howard, Ramdas, McAuliffe & Sekhon (2021, Annals of Statistics) for sums, Howard & Ramdas
(2022, Bernoulli) for whole distributions.
"""

import math

import numpy as np
from scipy.special import zeta

from engine.errors import ConfigError
from engine.stats.crossing import crossing
from engine.stats.mixture import nats_of, require_positive

ETAS = 4096


def poly_stitching_bound(
    v: float, *, alpha: float, v_min: float, c: float, s: float = 1.4, eta: float = 2.0
) -> float:
    """Return a sum that sub-gamma sums stay below at every variance from ``v_min`` up.

    It grows as the root of v ln ln v, the slowest that any bound can; below ``v_min`` it stays
    what it is there. ``c`` is the scale of the tail, of either sign. Howard et al. (2021), theorem
    1 with h(k) = k^s zeta(s).

    Raises:
        ConfigError: ``v`` or ``v_min`` is not above 0, ``s`` or ``eta`` not above 1, or alpha not
            in (0, 1).
    """
    require_positive(v=v, v_min=v_min)
    if not s > 1.0 or not eta > 1.0:
        raise ConfigError(f"stitching: s is {s!r}, eta is {eta!r}; both lie above 1")
    seen = max(v, v_min)
    epochs = math.log(eta * seen / v_min) / math.log(eta)
    nats = s * math.log(epochs) + math.log(float(zeta(s))) + nats_of(alpha)
    spread = (eta**0.25 + eta**-0.25) ** 2 / 2.0 * seen * nats
    tail = (math.sqrt(eta) + 1.0) / 2.0 * c * nats
    return math.sqrt(spread + tail * tail) + tail


def empirical_process_lil_bound(
    n: int, *, alpha: float, n_min: float = 1.0, a: float = 0.85
) -> float:
    """Return how far an empirical distribution strays from the true one, at all points and times.

    A distance of probabilities, in (0, 1]; it holds for every n from ``n_min`` on, and before
    that it is 1. Howard & Ramdas (2022), theorem 2, with their A = 0.85.

    Raises:
        ConfigError: ``n_min`` is below 1, ``a`` is not above the root of 1/2, or alpha not in
            (0, 1).
    """
    nats_of(alpha)
    if not n_min >= 1.0 or not math.sqrt(0.5) < a < math.inf:
        raise ConfigError(f"n_min is {n_min!r}, at least 1; a is {a!r}, above the root of 1/2")
    if n < n_min:
        return 1.0
    most = 1.0
    while _lil_error(most, a) > alpha:
        most *= 2.0
    constant = crossing(lambda at: _lil_error(at, a) - alpha, most / 2.0**20, most)
    return min(1.0, a * math.sqrt((math.log1p(math.log(n / n_min)) + constant) / n))


def _lil_error(constant: float, a: float) -> float:
    # Every eta is valid, so the best of a fine grid is a bound too, if not quite the least.
    eta = np.linspace(1.0, 2.0 * a * a, ETAS + 2)[1:-1]
    reach = np.maximum(a - np.sqrt(2.0 * (eta - 1.0) / constant), 0.0)
    power = 2.0 / eta * reach * reach
    valid = power > 1.0
    eta, power = eta[valid], power[valid]
    errors = 4.0 * np.exp(-power * constant) * (1.0 + 1.0 / ((power - 1.0) * np.log(eta)))
    return float(errors.min(initial=math.inf))
