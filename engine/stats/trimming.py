"""What a lift could be among units that either variant gets rated, when ratings are missing."""

from collections.abc import Sequence

import numpy as np

from engine.errors import UnmeasuredError
from engine.stats.arrays import FloatArray, IntArray
from engine.stats.interval import Interval
from engine.stats.tally import SCORES, Tally


def lee_bounds(tallies: Sequence[Tally]) -> Interval:
    """Return the least and the greatest lift that the missing ratings allow, for reports.

    The variant that is rated more often is trimmed by the surplus, of its best scores and of its
    worst (Lee 2009, Review of Economic Studies); it presumes that no unit is rated only under the
    other one. The estimate is that of the rated units as they are. Versions are weighted as for
    the lift; sampling error comes on top.

    Raises:
        UnmeasuredError: A side has no rated unit.
    """
    candidate, own_rate = _side([(1.0 - t.pi, t.candidate, t.candidate_unrated) for t in tallies])
    baseline, other_rate = _side([(t.pi, t.baseline, t.baseline_unrated) for t in tallies])
    surplus = 1.0 - min(own_rate, other_rate) / max(own_rate, other_rate)
    if own_rate >= other_rate:
        least, most = _trimmed(candidate, surplus)
        low, high = least - _mean(baseline), most - _mean(baseline)
    else:
        least, most = _trimmed(baseline, surplus)
        low, high = _mean(candidate) - most, _mean(candidate) - least
    estimate = _mean(candidate) - _mean(baseline)
    width = tallies[0].scale.width
    return Interval(low=low * width, high=high * width, estimate=estimate * width)


def _side(parts: Sequence[tuple[float, IntArray, int]]) -> tuple[FloatArray, float]:
    """The weighted histogram of a side's scores, and the share of its units that are rated."""
    scores: FloatArray = np.zeros_like(SCORES)
    total = 0.0
    for weight, counts, unrated in parts:
        scores = scores + weight * counts
        total += weight * (float(counts.sum()) + unrated)
    if not scores.any():
        raise UnmeasuredError("a side has no rated unit, so nothing bounds the lift")
    return scores, float(scores.sum()) / total


def _trimmed(scores: FloatArray, part: float) -> tuple[float, float]:
    """The means without this part of the best scores, and of the worst."""
    kept = (1.0 - part) * scores.sum()
    worst = np.minimum(scores, np.maximum(kept - (scores.cumsum() - scores), 0.0))
    above = scores[::-1].cumsum()[::-1] - scores
    best = np.minimum(scores, np.maximum(kept - above, 0.0))
    return _mean(worst), _mean(best)


def _mean(scores: FloatArray) -> float:
    return float(scores @ SCORES / scores.sum())
