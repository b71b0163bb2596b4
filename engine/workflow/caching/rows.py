"""Finds the rows of a table that are nearly parallel to a vector, in a fraction of a millisecond.

Each vector has a sketch: the signs of its products with 384 random directions. Two vectors at an
angle of `a` radians differ in each sign with probability a / pi (Goemans and Williamson 1995), so
nearly parallel vectors differ in few, and the rows that differ in more are passed over by counting
bits. What is left is compared exactly.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.workflow.embedding import FloatArray

BITS = 384
SURE = 6.0
"""Standard deviations of differing signs that a near row is given: one in 10^9 is missed."""
MOST_COMPARED = 512
"""Rows compared exactly: where more are near, those with the likest sketches."""
GIVEN_UP = 100
"""One row in so many is freed at once when a full table holds nothing that expired."""


class Near(NamedTuple):
    """A row, and its cosine to what was looked for."""

    row: int
    cosine: float


class Rows:
    """A bounded table of unit-norm vectors, each with a scope, a last use and an end.

    Memory is reserved at once and used only as rows come.
    """

    def __init__(self, capacity: int, dimension: int, threshold: float) -> None:
        self._capacity = capacity
        self._threshold = threshold
        self._directions = np.random.default_rng(0).standard_normal((BITS, dimension), np.float32)
        differs = math.acos(threshold) / math.pi
        spread = math.sqrt(BITS * differs * (1.0 - differs))
        self._most_bits = math.ceil(BITS * differs + SURE * spread)
        # Word by word, not row by row: a scan then reads memory in order.
        self._sketches = np.empty((BITS // 64, capacity), np.uint64)
        self._vectors = np.empty((capacity, dimension), np.float16)
        self._scopes = np.empty(capacity, np.int64)
        self._ends = np.empty(capacity, np.float64)
        self._used = np.empty(capacity, np.int64)
        self._free: list[int] = []
        self._size = 0
        self._tick = 0

    def __len__(self) -> int:
        return self._size - len(self._free)

    def near(self, vector: FloatArray, scope: int, now: float) -> list[Near]:
        """The rows of this scope at or above the threshold, nearest first."""
        bits = self._unlike(self._sketch(vector))
        rows = np.flatnonzero(bits <= self._most_bits)
        rows = rows[(self._scopes[rows] == scope) & (self._ends[rows] > now)]
        if len(rows) > MOST_COMPARED:
            rows = rows[np.argpartition(bits[rows], MOST_COMPARED)[:MOST_COMPARED]]
        cosines = self._vectors[rows].astype(np.float32) @ vector
        order = np.argsort(-cosines, kind="stable")
        return [
            Near(int(rows[place]), float(cosines[place]))
            for place in order[: np.count_nonzero(cosines >= self._threshold)]
        ]

    def add(self, vector: FloatArray, scope: int, end: float, now: float) -> int:
        """The row that now holds this vector; it may have held another one."""
        row = self._vacant(now)
        self._sketches[:, row] = self._sketch(vector)
        self._vectors[row] = vector
        self._scopes[row] = scope
        self._ends[row] = end
        self.touch(row)
        return row

    def touch(self, row: int) -> None:
        """The row was of use just now."""
        self._tick += 1
        self._used[row] = self._tick

    def remove(self, rows: Sequence[int]) -> None:
        """Free rows; those that are free already stay so."""
        held = [row for row in rows if self._ends[row] > -math.inf]
        self._ends[held] = -math.inf
        self._free.extend(held)

    def _sketch(self, vector: FloatArray) -> NDArray[np.uint64]:
        return np.packbits(self._directions @ vector > 0.0).view(np.uint64)

    def _unlike(self, sketch: NDArray[np.uint64]) -> NDArray[np.uint16]:
        bits = np.zeros(self._size, np.uint16)
        for words, word in zip(self._sketches[:, : self._size], sketch, strict=True):
            bits += np.bitwise_count(words ^ word)
        return bits

    def _vacant(self, now: float) -> int:
        if not self._free and self._size < self._capacity:
            self._size += 1
            return self._size - 1
        if not self._free:
            expired = np.flatnonzero(self._ends <= now)
            count = max(1, self._capacity // GIVEN_UP)
            oldest = np.argpartition(self._used, count - 1)[:count]
            self.remove((expired if len(expired) else oldest).tolist())
        return self._free.pop()
