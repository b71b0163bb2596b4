"""The outcome that compares two variants unit by unit, whatever their shares."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import ConfigError
from engine.stats.arrays import FloatArray, IntArray
from engine.stats.tally import LEVELS, PLAIN, Scale, Tally

NO_HISTORY = 0.5


@dataclass(frozen=True)
class Centre:
    """What scores are measured from: expectations that were frozen before the first unit.

    Units of different kinds may have expectations of their own, which tallies carry. A wrong one
    costs speed, never validity, because it stands on both sides of the comparison: the regression
    adjustment of CUPED (Deng, Xu, Kohavi & Walker 2013) in its unbiased, augmented form (Robins,
    Rotnitzky & Zhao 1994) with the same model for both variants.
    """

    mean: float
    """Of units that nothing more is known of."""
    low: float
    """Smallest of all expectations."""
    high: float
    """Largest of all expectations."""
    variance: float
    """Of a score around its expectation. One for all kinds: a bet that grew with what is known of
    a unit would test another average of the lifts."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.low <= self.mean <= self.high <= 1.0:
            raise ConfigError(
                f"centre: low {self.low!r}, mean {self.mean!r}, high {self.high!r}; they rise "
                "within [0, 1]"
            )
        if not self.variance > 0.0:
            raise ConfigError(f"centre: the variance is {self.variance!r}; it lies above 0")


@dataclass(frozen=True, eq=False)
class Pseudo:
    """Inverse-propensity-weighted outcomes of a pair, one row for each tally.

    A unit with score y contributes ``(y - f) / pi`` if it met the candidate and
    ``-(y - f) / (1 - pi)`` if it met the baseline; its mean is the lift (Horvitz & Thompson
    1952). An unrated unit stands at ``f``, so it contributes 0: intention to treat.
    """

    pi: FloatArray
    """Propensity of each row."""
    values: FloatArray
    """Outcomes that a unit can have, by row and column."""
    counts: IntArray
    """Units that had the outcome, by row and column."""
    floor: FloatArray
    """Lowest outcome that any unit of the row could have, seen or not."""
    variance: float
    """Expected of a score around its centre; bets are sized by it."""


def pseudo_of(
    tallies: Sequence[Tally], f: float | Centre | None, *, mirrored: bool = False
) -> Pseudo:
    """Lay out the outcomes of all tallies around their centres, negated if mirrored.

    Raises:
        ConfigError: An expected score is out of range, or the tallies' scales differ.
    """
    sign = -1.0 if mirrored else 1.0
    scale = _scale(tallies)
    centre = centre_of(f, scale)
    pi = np.array([tally.pi for tally in tallies], dtype=np.float64)
    middles = np.array([middle_of(tally, centre) for tally in tallies], dtype=np.float64)
    scores = np.array([tally.scores for tally in tallies], dtype=np.float64).reshape(-1, LEVELS)
    gap = sign * (scores - middles[:, None])
    rated = np.concatenate([gap / pi[:, None], -gap / (1.0 - pi[:, None])], axis=1)
    values = np.concatenate([rated, np.zeros((len(tallies), 1))], axis=1)
    counts = _counts(tallies)
    met = counts.any(axis=0)
    below, above = centre.high - scale.low, scale.high - centre.low
    own, other = (above, below) if mirrored else (below, above)
    floor = -np.maximum(own / pi, other / (1.0 - pi))
    return Pseudo(pi, values[:, met], counts[:, met], floor, centre.variance)


def centre_of(f: float | Centre | None, scale: Scale = PLAIN) -> Centre:
    """The centre that one expectation for all units is; None stands for "nothing known".

    Raises:
        ConfigError: ``f`` is outside [0, 1].
    """
    if isinstance(f, Centre):
        return f
    mean = NO_HISTORY if f is None else f
    if not 0.0 <= mean <= 1.0:
        raise ConfigError(f"the baseline mean f is {f!r}; it lies in [0, 1]")
    return Centre(mean=mean, low=mean, high=mean, variance=scale.variance(mean))


def middle_of(tally: Tally, centre: Centre) -> float:
    """The expectation that a tally's units are measured from."""
    if tally.f is None:
        return centre.mean
    if not centre.low <= tally.f <= centre.high:
        raise ConfigError(
            f"a tally's f is {tally.f!r}; it lies between {centre.low!r} and {centre.high!r}"
        )
    return tally.f


def _scale(tallies: Sequence[Tally]) -> Scale:
    scales = {tally.scale for tally in tallies} or {PLAIN}
    if len(scales) > 1:
        raise ConfigError(f"tallies on {len(scales)} scales can't be compared: {scales}")
    return scales.pop()


def _counts(tallies: Sequence[Tally]) -> IntArray:
    rows = [
        np.concatenate(
            [
                tally.candidate,
                tally.baseline,
                [tally.candidate_unrated + tally.baseline_unrated],
            ]
        )
        for tally in tallies
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 2 * LEVELS + 1)
