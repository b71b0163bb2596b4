"""Small builders that the laws of the statistics are told with."""

import numpy as np

from engine.stats.betting import LEVELS, Tally
from engine.stats.moments import moments_of
from engine.stats.ratio import Stratum


def binary(pi, c1, c0, b1, b0, **unrated):
    """A tally of thumbs: candidate up and down, baseline up and down."""
    candidate = np.zeros(LEVELS, dtype=np.int64)
    baseline = np.zeros(LEVELS, dtype=np.int64)
    candidate[[0, -1]] = c0, c1
    baseline[[0, -1]] = b0, b1
    return Tally(pi=pi, candidate=candidate, baseline=baseline, **unrated)


def thumbs(rng, pi, units, candidate_rate, baseline_rate):
    """A tally drawn from a pair whose candidate meets each unit with probability pi."""
    own = rng.binomial(units, pi)
    c1 = rng.binomial(own, candidate_rate)
    b1 = rng.binomial(units - own, baseline_rate)
    return binary(pi, c1, own - c1, b1, units - own - b1)


def stratum(candidate, baseline):
    return Stratum(candidate=moments_of(candidate), baseline=moments_of(baseline))


def at_most(hits, target, looks):
    """Whether a rate is within two standard errors of its target."""
    return hits / looks <= target + 2.0 * (target * (1.0 - target) / looks) ** 0.5
