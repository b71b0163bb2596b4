"""What tests of a known effect need: the information bound, a fixed length, evidence as it comes.

Scores are good or bad, which is the hardest case at a given mean. Units are the candidate's, and
the baseline's come beside them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, xlogy

from engine.stats.arrays import FloatArray
from engine.stats.betting import Bets, log_e
from engine.stats.tally import LEVELS, Tally

REPLICATES = 2_000
LOOKS = 400
POWER = 0.8


@dataclass(frozen=True)
class Pair:
    """A candidate of known effect beside its baseline."""

    rate: float
    """The baseline's mean score."""
    effect: float
    """What the candidate adds to it."""
    pi: float
    """Probability that a unit of the pair meets the candidate."""

    @property
    def outcomes(self) -> FloatArray:
        """Probabilities of a unit: candidate good and bad, baseline good and bad."""
        better = self.rate + self.effect
        own, base = self.pi, 1.0 - self.pi
        return np.array(
            [own * better, own * (1 - better), base * self.rate, base * (1 - self.rate)]
        )


def information(pair: Pair) -> float:
    """Nats that a candidate unit yields on average against "no better", with its baseline units.

    The least divergence of the pair from any common rate, which is reached at their weighted mean.
    """
    ratio = (1.0 - pair.pi) / pair.pi
    better = pair.rate + pair.effect
    middle = (better + ratio * pair.rate) / (1.0 + ratio)
    return _divergence(better, middle) + ratio * _divergence(pair.rate, middle)


def fixed_units(pair: Pair, alpha: float, power: float = POWER) -> float:
    """Candidate units of a one-sided z-test of fixed length with this power."""
    return float((ndtri(power) - ndtri(alpha)) ** 2) * _variance(pair) / pair.effect**2


def fixed_power(pair: Pair, alpha: float, units: FloatArray) -> FloatArray:
    """Power of a one-sided z-test of these candidate units."""
    reached: FloatArray = ndtr(pair.effect * np.sqrt(units / _variance(pair)) + ndtri(alpha))
    return reached


def crossings(
    pair: Pair, nats: float, *, bets: Bets, longest: float, seed: int, replicates: int = REPLICATES
) -> FloatArray:
    """Candidate units at which simulated windows first show this log e; infinite if not in time.

    Each window is looked at 400 times, up to `longest` candidate units.
    """
    rng = np.random.default_rng(seed)
    step = max(round(longest / pair.pi / LOOKS), 1)
    factors = _log_factors(pair, bets)
    counts = np.zeros((replicates, 4))
    found = np.full(replicates, np.inf)
    for look in range(1, LOOKS + 1):
        counts += rng.multinomial(step, pair.outcomes, size=replicates)
        wealth = np.logaddexp.reduce(counts @ factors + np.log(bets.weights), axis=1)
        found[np.isinf(found) & (wealth >= nats)] = look * step * pair.pi
    return found


def _log_factors(pair: Pair, bets: Bets) -> FloatArray:
    """What each outcome adds to the logarithm of each bet's coins, by outcome and bet."""
    alone = [Bets(deltas=(delta,), weights=(1.0,), cap=bets.cap) for delta in bets.deltas]
    return np.array(
        [[log_e([unit], f=pair.rate, bets=bet) for bet in alone] for unit in _units(pair.pi)]
    )


def _units(pi: float) -> list[Tally]:
    """One unit of each outcome, in the order of `Pair.outcomes`."""
    nobody = np.zeros(LEVELS, dtype=np.int64)
    good, bad = nobody.copy(), nobody.copy()
    good[-1], bad[0] = 1, 1
    return [
        *(Tally(pi=pi, candidate=one, baseline=nobody) for one in (good, bad)),
        *(Tally(pi=pi, candidate=nobody, baseline=one) for one in (good, bad)),
    ]


def _variance(pair: Pair) -> float:
    """Variance of the lift, times the candidate's units."""
    better = pair.rate + pair.effect
    ratio = (1.0 - pair.pi) / pair.pi
    return better * (1.0 - better) + pair.rate * (1.0 - pair.rate) / ratio


def _divergence(p: float, q: float) -> float:
    """Kullback-Leibler divergence of two rates, in nats."""
    return float(xlogy(p, p / q) + xlogy(1.0 - p, (1.0 - p) / (1.0 - q)))
