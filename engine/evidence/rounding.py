"""Rounds calibrated scores to a tally's levels without moving their mean.

A calibrated score lies on a scale that is many times as wide as the label's, so rounding to the
nearest of a hundred levels would move an evaluator's score of 1 by several hundredths, and one
variant's more than the other's. Each unit is rounded up or down instead, by a draw of its own that
nothing else depends on, with the chance that leaves its mean where it was.
"""

import hashlib

import polars as pl

from engine.evidence.questions import Questions, least_of, most_of, score_of
from engine.evidence.requests import UNIT
from engine.stats.tally import LEVELS

_KEY = b"trimtab rounding"
_NOTHING = 1e-9
"""Two means of the same scores differ by less."""


def rounded(units: pl.DataFrame, questions: Questions) -> pl.DataFrame:
    """The units with their calibrated scores on a tally's levels.

    A unit that waits for any of its labels has no score, whatever its other requests have.
    """
    if not questions.calibrated:
        return units
    names = units.select(UNIT).iter_rows()
    draw = pl.Series("draw", [_draw(unit, epoch) for unit, epoch in names], dtype=pl.Float64)
    columns = {}
    for name in questions.calibrated:
        score, least, most = pl.col(score_of(name)), pl.col(least_of(name)), pl.col(most_of(name))
        waits = most - least > _NOTHING
        columns[score_of(name)] = _level(pl.when(~waits).then(score), draw)
        columns[least_of(name)] = _level(least, draw)
        columns[most_of(name)] = _level(most, draw)
    return units.with_columns(**columns)


def _level(score: pl.Expr, draw: pl.Series) -> pl.Expr:
    # What lies on a level but for a rounding error stays there.
    return ((score * (LEVELS - 1)).round(9) + draw).floor() / (LEVELS - 1)


def _draw(unit: str, epoch: str) -> float:
    """A number in [0, 1) that no variant, time or score has a part in."""
    seen = hashlib.blake2b(f"{epoch}\n{unit}".encode(), digest_size=6, key=_KEY)
    return int.from_bytes(seen.digest(), "big") / 2**48
