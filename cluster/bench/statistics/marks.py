"""Rates and medians as rows with the method's marks."""

from math import sqrt

import numpy as np

from cluster.bench.rows import Row, judged
from cluster.bench.statistics.paths import BoolArray
from engine.stats.arrays import FloatArray
from engine.stats.proportion import wilson


def rate(
    id_: str, what: str, hits: BoolArray, mark: float | None, *, least: float | None = None
) -> Row:
    """A share of runs against a mark, give or take two standard errors of what the mark allows."""
    count, total = int(np.sum(hits)), len(hits)
    interval = wilson(count, total)
    target = mark if mark is not None else least
    tolerance = 0.0 if target is None else 2.0 * sqrt(target * (1.0 - target) / total)
    goal = f"<= {mark}" if mark is not None else None if least is None else f">= {least}"
    row = Row(
        id=id_,
        what=what,
        value=count / total,
        low=interval.low,
        high=interval.high,
        unit=f"of {total}",
        goal=goal,
    )
    return judged(row, tolerance=tolerance)


def median(id_: str, what: str, values: FloatArray, most: float | None, unit: str) -> Row:
    """The median, where those that never came count as later than all."""
    late = np.where(np.isnan(values), np.inf, values)
    middle = float(np.median(late))
    return judged(
        Row(
            id=id_,
            what=f"median {what}",
            value=middle if np.isfinite(middle) else None,
            unit=unit,
            goal=None if most is None else f"<= {most:g}",
        )
    )
