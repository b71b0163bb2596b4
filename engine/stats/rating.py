"""Whether two variants are rated equally often."""

import math
from collections.abc import Sequence

import numpy as np

from engine.stats.betting import log_e
from engine.stats.tally import LEVELS, Tally


def rating_log_e(tallies: Sequence[Tally], *, f: float | None) -> float:
    """Return ln E against "being rated does not depend on the variant".

    ``f`` is the baseline's frozen share of rated units. It is the mean of the two one-sided
    tests of the lift (Waudby-Smith & Ramdas 2024), with "was it rated" for a score. Large
    means that scores of rated units alone can't be compared.
    """
    rated = [_rated(tally) for tally in tallies]
    higher = log_e(rated, f=f)
    lower = log_e(rated, f=f, mirrored=True)
    return float(np.logaddexp(higher, lower)) - math.log(2.0)


def _rated(tally: Tally) -> Tally:
    candidate = np.zeros(LEVELS, dtype=np.int64)
    baseline = np.zeros(LEVELS, dtype=np.int64)
    candidate[[0, -1]] = tally.candidate_unrated, tally.candidate.sum()
    baseline[[0, -1]] = tally.baseline_unrated, tally.baseline.sum()
    return Tally(pi=tally.pi, candidate=candidate, baseline=baseline)
