"""Which candidates get how much of the traffic that is there for trying them."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.special import ndtr

from engine.stats.arrays import FloatArray

PRIOR_LIFT = -0.01
PRIOR_SD = 0.03
"""What a random change of settings does to the score: a normal with this mean and spread."""
MIN_SHARE = 0.005
"""Of live traffic: an open candidate never has less."""
ENOUGH_UNITS = 400
"""Units of the leading candidate before its lead may speed things up."""
LEADS = 1.28
"""Posterior standard deviations above zero that make a lead: a chance of 0.9."""
RESHAPED = 0.5
"""Part of a belief's spread that a draw keeps. Whoever seeks any candidate that is better, not the
best of them, does well to follow what leads: with one of eight better by 2 points its proof took
50 000 requests instead of 58 000, and 48 000 to 53 000 with parts from 0.65 to 0.35."""
NARROWEST = 1e-6
NODES: FloatArray = np.linspace(-8.0, 8.0, 401)
"""Standard deviations from the mean at which a belief is weighed."""
WEIGHTS: FloatArray = np.exp(-(NODES**2) / 2.0)


@dataclass(frozen=True)
class Posterior:
    """What is believed of a candidate's lift over the baseline: a normal distribution."""

    mean: float
    sd: float

    def chance_above(self, lift: float) -> float:
        """How likely the lift is larger than this."""
        if self.sd == 0.0:
            return float(self.mean > lift)
        return float(ndtr((self.mean - lift) / self.sd))


def posterior(
    lift: float | None,
    se: float | None,
    *,
    prior_mean: float = PRIOR_LIFT,
    prior_sd: float = PRIOR_SD,
) -> Posterior:
    """The belief after an estimate and its standard error; without either it is the prior."""
    if lift is None or se is None:
        return Posterior(prior_mean, prior_sd)
    spread = prior_sd**2 + se**2
    mean = (se**2 * prior_mean + prior_sd**2 * lift) / spread
    return Posterior(mean, prior_sd * se / sqrt(spread))


def thompson_shares(
    posteriors: Sequence[Posterior],
    *,
    exploration: float,
    floor: float = 0.02,
    draws: int = 256,
    rng: np.random.Generator,
) -> tuple[float, ...]:
    """Shares of live traffic by the chance that a draw of the candidate is the largest.

    Thompson (1933), from posteriors that are reshaped (Chapelle & Li 2011). Together
    they are ``exploration``; each is at least ``floor`` of it. Good for "is any of them better than
    the baseline?", which needs no candidate told from another.
    """
    reshaped = [Posterior(one.mean, RESHAPED * one.sd) for one in posteriors]
    largest = _chances(_drawn(reshaped, draws, rng))
    return _floored(largest, exploration, floor)


def top_two_shares(
    posteriors: Sequence[Posterior],
    *,
    exploration: float,
    beta: float = 0.5,
    floor: float = 0.02,
    draws: int = 256,
    rng: np.random.Generator,
) -> tuple[float, ...]:
    """Shares of live traffic by top-two Thompson sampling, for "which of them is the best?".

    Russo (2016): ``beta`` of the traffic goes to the largest of a draw, the rest to the largest
    of the others in a further draw that another one leads.
    """
    drawn = _drawn(posteriors, draws, rng)
    leads = _chances(drawn)
    if len(leads) == 1:
        return (exploration,)
    challenges = sum(lead * _challengers(drawn, leads, k) for k, lead in enumerate(leads))
    return _floored(beta * leads + (1.0 - beta) * challenges, exploration, floor)


def bandit_shares(
    posteriors: Sequence[Posterior],
    *,
    exploration: float,
    floor: float = 0.02,
    draws: int = 256,
    rng: np.random.Generator,
) -> tuple[float, ...]:
    """Shares of live traffic by the chance that a candidate is the best, the baseline included.

    Thompson (1933), for serving well rather than for proving: what no candidate is the best for
    stays with the baseline, whose lift is 0. Each keeps ``floor`` of ``exploration``, so that
    propensities stay away from 0 and what is gathered can be used as evidence.
    """
    drawn = _drawn((*posteriors, Posterior(0.0, 0.0)), draws, rng)
    return _floored(_chances(drawn)[:-1], exploration, floor)


def exploration_of(
    posteriors: Sequence[Posterior], units: Sequence[int], *, usual: float, cap: float
) -> float:
    """The traffic for all candidates together: the cap once the leader looks good.

    It is the leader that counts, the candidate with the largest posterior mean; ``units`` are
    matured candidate units.
    """
    if not posteriors:
        return usual
    leader, seen = max(zip(posteriors, units, strict=True), key=lambda one: one[0].mean)
    return cap if seen >= ENOUGH_UNITS and leader.mean > LEADS * leader.sd else usual


def chance_of_best(posteriors: Sequence[Posterior]) -> tuple[float, ...]:
    """How likely each candidate is the best of them (Russo 2016, section 2).

    The integral of its density times the chance that all others lie below, by the trapezoid rule.
    """
    # A belief without any spread is a step, which the rule can't see; this is a step's width.
    sds = np.array([max(one.sd, NARROWEST) for one in posteriors])
    means = np.array([one.mean for one in posteriors])
    at = means[:, None] + sds[:, None] * NODES
    below = ndtr((at[:, None, :] - means[None, :, None]) / sds[None, :, None])
    own = np.eye(len(posteriors), dtype=bool)[:, :, None]
    chances = (np.where(own, 1.0, below).prod(axis=1) * WEIGHTS).sum(axis=1)
    return tuple(float(chance) for chance in chances / chances.sum())


def _drawn(posteriors: Sequence[Posterior], draws: int, rng: np.random.Generator) -> FloatArray:
    means = np.array([one.mean for one in posteriors])
    sds = np.array([one.sd for one in posteriors])
    drawn: FloatArray = rng.normal(means, sds, size=(draws, len(posteriors)))
    return drawn


def _chances(drawn: FloatArray) -> FloatArray:
    """How often each column is the largest of its row."""
    counts = np.bincount(drawn.argmax(axis=1), minlength=drawn.shape[1])
    chances: FloatArray = counts / drawn.shape[0]
    return chances


def _challengers(drawn: FloatArray, leads: FloatArray, leader: int) -> FloatArray:
    """How often each of the others is the largest when this one is left out of account."""
    others = drawn.copy()
    others[:, leader] = -np.inf
    if leads[leader] == 1.0:
        return _chances(others)
    rest = leads.copy()
    rest[leader] = 0.0
    challengers: FloatArray = rest / (1.0 - leads[leader])
    return challengers


def _floored(chances: FloatArray, exploration: float, floor: float) -> tuple[float, ...]:
    """Every candidate keeps the floor; the rest is shared by the chances."""
    least = min(max(floor, MIN_SHARE / exploration), 1.0 / len(chances))
    shares = exploration * (chances * (1.0 - len(chances) * least) + least)
    return tuple(float(share) for share in shares)
