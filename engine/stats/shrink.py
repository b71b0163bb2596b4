"""The lift to expect of a winner, which was picked partly for its luck."""

from collections.abc import Sequence

import numpy as np

from engine.stats.allocation import PRIOR_LIFT, PRIOR_SD
from engine.stats.estimate import Estimate

ENOUGH_TRIALS = 3


def shrunk_lift(winner: Estimate, among: Sequence[Estimate]) -> float:
    """Pull the winner's lift towards the mean lift of the trials that it was picked from.

    Empirical Bayes after James & Stein (1961) in the form of Efron & Morris (1973): the pull is
    the noise's part of the spread between trials. ``among`` includes the winner. Fewer than three
    trials show no spread, so the usual one stands in: mean -0.01, standard deviation 0.03.
    """
    if len(among) < ENOUGH_TRIALS:
        mean, between = PRIOR_LIFT, PRIOR_SD**2
    else:
        lifts = np.array([one.lift for one in among])
        noise = float(np.mean([one.se**2 for one in among]))
        mean, between = float(lifts.mean()), max(float(lifts.var(ddof=1)) - noise, 0.0)
    return mean + between / (between + winner.se**2) * (winner.lift - mean)
