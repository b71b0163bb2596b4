"""The alpha budget: how much risk of a false promotion each trial may take.

A trial's level is fixed when it opens. The sum of levels, each over one more than the promotions
before it, stays below alpha. Passing only the trials since the last promotion, with
``promotions=0``, bounds the chance of any false promotion between two promotions by alpha (union
bound and Ville). Passing all trials for ever, with the promotions counted, bounds the false
discovery rate by alpha: the e-value rule of Xu & Ramdas (2024, AISTATS). Both hold for any
dependence between trials.

The first bound allows to take back what a trial has not lost. Its level is a stake that is bet
against "no better" at odds that are fair at best, so what the stake is worth, level times E, falls
on average while the null is true, and the trial promotes when that is worth 1. When a trial ends
for good its stake returns as far as it is left, at most whole. The rest of the budget, the worth of
the open stakes on true nulls and the other open stakes as they were put down are then together a
supermartingale from alpha on, which reaches 1 with a chance of at most alpha (Ville 1939); at most
whole, because what a trial of a better candidate has won must not be lent to one that is no better.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

from engine.errors import ConfigError

EVEN_UP_TO = 32
"""Trials: with more, an even part of the budget asks more of each than a fading one of most."""
FADES = 0.5
"""Of ``omega``, by which the part that a trial takes gets smaller: after 32 trials it is half."""
ROUNDING = 1e-9


@dataclass(frozen=True)
class Spent:
    """What one opened trial took from the budget."""

    alpha: float
    """Its level."""
    promotions_before: int
    """Promotions counted when it opened."""
    returned: float = 0.0
    """What came back of its level when it had ended for good; never with promotions counted."""


def next_alpha(
    spent: Sequence[Spent],
    *,
    alpha: float,
    omega: float = 1.0 / 16.0,
    prior: float = 1.0,
    promotions: int = 0,
    horizon: int | None = None,
) -> float:
    """Return the level of the next trial; it promotes at E >= 1 / level.

    ``omega`` is the part of what remains that the first trial takes; the part of each later one is
    a little smaller, or a long search would leave nothing for its last. ``prior`` in [1/4, 4] is
    what is hoped of this one, fixed before its first unit. ``horizon`` is how many trials there
    will be at most: up to 32 share the budget evenly, which asks less of all but the first few. The
    nats that a trial needs at alpha = 0.05 where nothing returned:

    ========  =====  =====  =====  =====  =====  =====  =====
    trial         1      4      8     16     32     64    150
    fading     5.77   6.05   6.38   6.95   7.85   9.10  11.05
    even, 8    5.08   5.08   5.08
    even, 16   5.77   5.77   5.77   5.77
    even, 32   6.46   6.46   6.46   6.46   6.46
    ========  =====  =====  =====  =====  =====  =====  =====

    Raises:
        ConfigError: A figure is out of range, or nothing remains.
    """
    if not 0.25 <= prior <= 4.0:
        raise ConfigError(f"the alpha budget's prior is {prior!r}; it lies in [1/4, 4]")
    if not 0.0 < omega * prior <= 1.0:
        raise ConfigError(f"omega times prior is {omega * prior!r}; it lies in (0, 1]")
    if promotions < 0:
        raise ConfigError(f"the number of promotions is {promotions}; it can't be negative")
    left = remaining(spent, alpha=alpha)
    if left == 0.0:
        raise ConfigError(f"the alpha budget of {alpha} is spent after {len(spent)} trials")
    even = 0.0 if horizon is None or horizon > EVEN_UP_TO else prior * alpha / horizon
    # Hopes above 1 may use an even budget up early; what remains is then taken part by part.
    fits = 0.0 < even <= left * (1.0 + ROUNDING)
    part = omega * prior / (1.0 + FADES * omega * len(spent))
    taken = min(even, left) if fits else part * left
    return taken * (promotions + 1)


def returned(level: float, log_e: float) -> float:
    """Return what is left of a trial's level when it ends for good with this evidence."""
    return level * exp(min(log_e, 0.0))


def remaining(spent: Sequence[Spent], *, alpha: float) -> float:
    """Return the part of alpha that no trial has taken and kept, never below 0."""
    if not 0.0 < alpha < 1.0:
        raise ConfigError(f"alpha is {alpha!r}; it lies between 0 and 1")
    taken = sum((one.alpha - one.returned) / (one.promotions_before + 1) for one in spent)
    return max(alpha - taken, 0.0)
