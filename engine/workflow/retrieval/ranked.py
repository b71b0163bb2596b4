"""An index's rows in the order of a question."""

from typing import NamedTuple

import numpy as np

from engine.workflow.embedding import FloatArray


class Ranked(NamedTuple):
    """A passage by its row, and how well it fits."""

    row: int
    score: float


def best(scores: FloatArray, k: int) -> list[Ranked]:
    """The `k` highest, best first; of equal scores the lower row comes first.

    Only the highest are sorted, for sorting 100 000 scores costs more than finding them.
    """
    k = min(k, len(scores))
    if k == 0:
        return []
    border = np.partition(scores, len(scores) - k)[len(scores) - k]
    rows = np.flatnonzero(scores >= border)
    order = np.argsort(-scores[rows], kind="stable")[:k]
    return [Ranked(int(row), float(scores[row])) for row in rows[order]]
