"""Remembers the vectors of questions that were asked before."""

from collections import OrderedDict
from typing import NamedTuple

from engine.workflow.embedding import Embed, FloatArray


class Remembered(NamedTuple):
    """A vector, and whether it was known already."""

    vector: FloatArray
    hit: bool


class QueryMemo:
    """The vectors of the last questions; one memo belongs to one variant."""

    def __init__(self, embed: Embed, size: int = 4_096) -> None:
        self._embed = embed
        self._size = size
        self._vectors: OrderedDict[str, FloatArray] = OrderedDict()

    async def vector(self, question: str) -> Remembered:
        """The question's vector, computed at most once while it is remembered."""
        if question in self._vectors:
            self._vectors.move_to_end(question)
            return Remembered(self._vectors[question], hit=True)
        vector = (await self._embed([question]))[0]
        self._vectors[question] = vector
        while len(self._vectors) > self._size:
            self._vectors.popitem(last=False)
        return Remembered(vector, hit=False)
