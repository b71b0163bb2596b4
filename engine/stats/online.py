"""An endless stream of trials, with a bound on the share of promotions that are false.

The experiments' own budget (`engine.stats.alpha`) bounds the chance of any false promotion until
the next true one. These rules bound the false discovery rate instead, for any dependence between
the trials: e-LOND fixes a trial's level when it opens, and its bound holds at all times; online
e-BH lets a trial that is still open be promoted later, and its bound holds for the set at any one
time that one stops, as the evidence stands then. ``gammas`` are the trials' parts of alpha in the
order of their opening; they sum to at most 1.
"""

import math
from collections.abc import Sequence

from engine.errors import ConfigError

TOTAL = 0.07720838
"""What makes the parts sum to 1 over all trials."""
ROUNDING = 1e-9


def gamma_of(trial: int) -> float:
    """Return the part of alpha that the trial of this number gets, counted from 1.

    0.0772 ln(max(j, 2)) / (j exp(sqrt(ln j))), nearly the best against Gaussian alternatives
    (Javanmard & Montanari 2018, Annals of Statistics, section 3).

    Raises:
        ConfigError: The number is below 1.
    """
    if trial < 1:
        raise ConfigError(f"a trial's number is {trial}; trials are counted from 1")
    return TOTAL * math.log(max(trial, 2)) / (trial * math.exp(math.sqrt(math.log(trial))))


def lond_level(trial: int, promotions: int, *, alpha: float) -> float:
    """Return the level of a trial that opens after this many promotions.

    LOND (Javanmard & Montanari 2018, equation 5). A p-value at most this promotes where p-values
    depend positively; evidence E of at least 1 / level promotes under any dependence: e-LOND (Xu &
    Ramdas 2024, AISTATS, theorem 1).

    Raises:
        ConfigError: A figure is out of range.
    """
    _check_alpha(alpha)
    if promotions < 0:
        raise ConfigError(f"the number of promotions is {promotions}; it can't be negative")
    return alpha * gamma_of(trial) * (promotions + 1)


def online_e_bh(
    log_es: Sequence[float], *, alpha: float, gammas: Sequence[float] | None = None
) -> tuple[int, ...]:
    """Return which trials are promoted by their newest evidence, by index.

    The largest set of k trials with ln E of at least -ln(k alpha gamma) each (Fischer, Xu & Ramdas
    2024, arXiv:2407.20683, section 2). ``log_es`` holds all trials so far in the order of their
    opening, closed ones as they stood. As evidence or trials are added the set only grows; evidence
    that falls may leave it, and a promotion kept all the same is not covered.

    Raises:
        ConfigError: ``alpha`` is out of range, or the parts don't match, are not above 0 or sum to
            more than 1.
    """
    _check_alpha(alpha)
    parts = [gamma_of(j) for j in range(1, len(log_es) + 1)] if gammas is None else list(gammas)
    if len(parts) != len(log_es):
        raise ConfigError(f"{len(parts)} parts of alpha for {len(log_es)} trials; give one each")
    if parts and (min(parts) <= 0.0 or sum(parts) > 1.0 + ROUNDING):
        raise ConfigError(f"parts of alpha sum to {sum(parts)}; they lie above 0, at most 1 in all")
    # A trial needs a set of this size before it can be in one.
    needed = [-log_e - math.log(alpha * part) for log_e, part in zip(log_es, parts, strict=True)]
    for size in range(len(needed), 0, -1):
        chosen = tuple(j for j, nats in enumerate(needed) if nats <= math.log(size))
        if len(chosen) >= size:
            return chosen
    return ()


def _check_alpha(alpha: float) -> None:
    if not 0.0 < alpha < 1.0:
        raise ConfigError(f"alpha is {alpha!r}; it lies between 0 and 1")
