"""Evidence that holds at every look: bets against "the candidate is no better".

A test starts with one coin and bets on each unit at fair odds under the null, so a null that is
true makes 1/alpha coins at most alpha of the time, however often one looks (Ville 1939). The bets
are fixed in advance on a grid of effects (Waudby-Smith & Ramdas 2024, JRSSB), which keeps the
promise when only the running average of the effect obeys the null.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import ConfigError
from engine.stats.arrays import FloatArray
from engine.stats.crossing import steep_crossing
from engine.stats.estimate import Estimate, estimate
from engine.stats.pseudo import Centre, Pseudo, pseudo_of
from engine.stats.tally import LEVELS, Tally, merged, tally_of

__all__ = [
    "HARM",
    "LEVELS",
    "PROMOTION",
    "Bets",
    "Centre",
    "Estimate",
    "Tally",
    "bets_for",
    "error_free_log_e",
    "estimate",
    "harm_log_e",
    "log_e",
    "lower_bound",
    "merged",
    "tally_of",
    "upper_bound",
]


@dataclass(frozen=True)
class Bets:
    """The effects that a test bets on, and how its coin is divided among them."""

    deltas: tuple[float, ...]
    """Effects; the smallest should be the smallest effect worth finding."""
    weights: tuple[float, ...]
    """Part of the coin on each effect; they sum to 1."""
    cap: float
    """Largest part of its coins that a bet may lose on one unit, below 1."""

    def __post_init__(self) -> None:
        if len(self.deltas) != len(self.weights) or not self.deltas:
            raise ConfigError(f"bets: {len(self.deltas)} deltas and {len(self.weights)} weights")
        if not min(self.deltas) > 0.0 or not min(self.weights) > 0.0:
            raise ConfigError("bets: deltas and weights are above 0")
        if not math.isclose(sum(self.weights), 1.0, abs_tol=1e-9):
            raise ConfigError(f"bets: weights sum to {sum(self.weights)}; they must sum to 1")
        if not 0.0 < self.cap < 1.0:
            raise ConfigError(f"bets: cap is {self.cap!r}; it lies between 0 and 1")


PROMOTION = Bets(deltas=(0.02, 0.04, 0.08, 0.16), weights=(0.4, 0.3, 0.2, 0.1), cap=0.5)
SMALL_WEIGHT = 0.25
HARM = Bets(deltas=(0.02, 0.04, 0.08, 0.16, 0.32), weights=(0.2,) * 5, cap=0.5)


def bets_for(mde: float, *, late: bool = False) -> Bets:
    """Bet on the smallest effect worth finding and on its double, fourfold and eightfold.

    ``late`` adds its half and its quarter, with a quarter of the coin each: a test grows only on
    effects above half of the smallest that it bets on, and after many candidates what is left to
    find is small.
    """
    deltas = (mde, 2.0 * mde, 4.0 * mde, 8.0 * mde)
    if not late:
        return Bets(deltas=deltas, weights=PROMOTION.weights, cap=PROMOTION.cap)
    usual = ((1.0 - 2.0 * SMALL_WEIGHT) * weight for weight in PROMOTION.weights)
    weights = (SMALL_WEIGHT, SMALL_WEIGHT, *usual)
    return Bets(deltas=(mde / 4.0, mde / 2.0, *deltas), weights=weights, cap=PROMOTION.cap)


def log_e(
    tallies: Sequence[Tally],
    *,
    f: float | Centre | None,
    m: float = 0.0,
    bets: Bets = PROMOTION,
    mirrored: bool = False,
) -> float:
    """Return ln E against the null that the lift is at most ``m``; no units give 0.

    ``f`` is the baseline's mean, frozen before the first unit, or a centre with expectations by
    kind of unit: a wrong one costs speed, never validity. ``mirrored`` tests the opposite null,
    that the lift is at least ``-m``.

    The wealth is the weighted sum, over the effects, of the product over all units: a capital
    process with a grid of bets (Waudby-Smith & Ramdas 2024, section 4).

    Raises:
        ConfigError: ``f`` or ``m`` is out of range.
    """
    if not -1.0 <= m <= 1.0:
        raise ConfigError(f"the margin m is {m!r}; a lift lies in [-1, 1]")
    return _wealth(pseudo_of(tallies, f, mirrored=mirrored), m, bets)


def harm_log_e(
    tallies: Sequence[Tally], *, f: float | Centre | None, margin: float = 0.01
) -> float:
    """Return ln E against "the candidate is worse by at most ``margin``"; large means stop."""
    return log_e(tallies, f=f, m=margin, bets=HARM, mirrored=True)


def error_free_log_e(
    tallies_of_no_error: Sequence[Tally], *, f: float | Centre | None = 0.995, margin: float = 0.02
) -> float:
    """Return ln E against "the candidate fails more often by ``margin`` or more".

    Score 1 is an answer without an error, 0 an error. Large means that errors forbid nothing.
    """
    return log_e(tallies_of_no_error, f=f, m=-margin)


def lower_bound(
    tallies: Sequence[Tally], *, f: float | Centre | None, alpha: float, bets: Bets = PROMOTION
) -> float:
    """Return the lift that is exceeded with confidence 1 - alpha at every look at once.

    It inverts the test: the largest ``m`` whose null is refused, or -1 if none is.
    """
    return _refused(pseudo_of(tallies, f), alpha, bets)


def upper_bound(
    tallies: Sequence[Tally], *, f: float | Centre | None, alpha: float, bets: Bets = PROMOTION
) -> float:
    """Return the lift that is not reached with confidence 1 - alpha at every look at once."""
    return -_refused(pseudo_of(tallies, f, mirrored=True), alpha, bets)


def _refused(pseudo: Pseudo, alpha: float, bets: Bets) -> float:
    if not 0.0 < alpha < 1.0:
        raise ConfigError(f"alpha is {alpha!r}; it lies between 0 and 1")

    def excess(m: float) -> tuple[float, float]:
        wealth, slope = _wealth_and_slope(pseudo, m, bets)
        return wealth + math.log(alpha), slope

    return steep_crossing(excess, -1.0, 1.0, near=_guess(pseudo, alpha))


def _guess(pseudo: Pseudo, alpha: float) -> float:
    """Where a normal approximation would put the bound: a start for the search, no more."""
    weights = (pseudo.pi * (1.0 - pseudo.pi))[:, None] * pseudo.counts
    total = weights.sum()
    if total == 0.0:
        return -1.0
    mean = float((weights * pseudo.values).sum() / total)
    squares = (pseudo.pi * (1.0 - pseudo.pi))[:, None] * weights * (pseudo.values - mean) ** 2
    return mean - math.sqrt(-2.0 * math.log(alpha) * float(squares.sum())) / float(total)


def _stakes(pseudo: Pseudo, m: float, bets: Bets) -> FloatArray:
    # A stake delta / v grows fastest at an effect of delta; the cap keeps every factor positive.
    wished = (pseudo.pi * (1.0 - pseudo.pi) / pseudo.variance)[:, None] * np.asarray(bets.deltas)
    capped: FloatArray = np.minimum(wished, (bets.cap / (max(m, 0.0) - pseudo.floor))[:, None])
    return capped


def _wealth(pseudo: Pseudo, m: float, bets: Bets) -> float:
    stakes = _stakes(pseudo, m, bets)
    factors = np.log1p(stakes[:, :, None] * (pseudo.values - m)[:, None, :])
    growth = (pseudo.counts[:, None, :] * factors).sum(axis=(0, 2))
    return _mixed(growth, bets)[0]


def _wealth_and_slope(pseudo: Pseudo, m: float, bets: Bets) -> tuple[float, float]:
    """The wealth with its derivative in ``m``."""
    stakes = _stakes(pseudo, m, bets)
    gaps = (pseudo.values - m)[:, None, :]
    bet = stakes[:, :, None] * gaps
    counts = pseudo.counts[:, None, :]
    growth = (counts * np.log1p(bet)).sum(axis=(0, 2))
    # Above m = 0 a stake that lies at its cap shrinks as m grows.
    capped = stakes * (pseudo.floor - max(m, 0.0))[:, None] <= -bets.cap
    moves = np.where(capped & (m > 0.0), -(stakes**2) / bets.cap, 0.0)
    slopes = (counts * (moves[:, :, None] * gaps - stakes[:, :, None]) / (1.0 + bet)).sum(
        axis=(0, 2)
    )
    wealth, parts = _mixed(growth, bets)
    return wealth, float(parts @ slopes)


def _mixed(growth: FloatArray, bets: Bets) -> tuple[float, FloatArray]:
    """The logarithm of all coins, and the part of them that lies on each effect."""
    coins = np.log(bets.weights) + growth
    most = coins.max()
    parts = np.exp(coins - most)
    total = parts.sum()
    return float(most + np.log(total)), parts / total
