"""The outcome that compares two variants unit by unit, whatever their shares."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import ConfigError
from engine.stats.arrays import FloatArray, IntArray
from engine.stats.tally import LEVELS, SCORES, Tally

NO_HISTORY = 0.5


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


def pseudo_of(tallies: Sequence[Tally], f: float | None, *, mirrored: bool = False) -> Pseudo:
    """Lay out the outcomes of all tallies around the centre ``f``, negated if mirrored.

    Raises:
        ConfigError: ``f`` is outside [0, 1].
    """
    sign = -1.0 if mirrored else 1.0
    pi = np.array([tally.pi for tally in tallies], dtype=np.float64)
    gap = sign * (SCORES - centre(f))
    rated = np.concatenate([gap / pi[:, None], -gap / (1.0 - pi[:, None])], axis=1)
    values = np.concatenate([rated, np.zeros((len(tallies), 1))], axis=1)
    counts = _counts(tallies)
    met = counts.any(axis=0)
    return Pseudo(pi=pi, values=values[:, met], counts=counts[:, met], floor=rated.min(axis=1))


def centre(f: float | None) -> float:
    """Return the score that stands for "nothing known": the frozen mean of the baseline."""
    if f is None:
        return NO_HISTORY
    if not 0.0 <= f <= 1.0:
        raise ConfigError(f"the baseline mean f is {f!r}; it lies in [0, 1]")
    return f


def spread(f: float | None) -> float:
    """Return the variance to expect of a score: f(1 - f), or 1/4 where that tells nothing."""
    middle = centre(f)
    return middle * (1.0 - middle) or 0.25


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
