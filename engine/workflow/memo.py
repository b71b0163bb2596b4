"""Remembers the vectors of questions that were asked before."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import NamedTuple

from engine.workflow.embedding import Embed, FloatArray

Recent = Callable[[], Awaitable[tuple[Sequence[str], FloatArray]]]
"""Texts that were asked of late elsewhere, the newest last, and their vectors row by row."""


class Remembered(NamedTuple):
    """A vector, and whether it was known already."""

    vector: FloatArray
    hit: bool


class QueryMemo:
    """The vectors of the last questions, for every variant of a process.

    A vector depends on the encoder alone. With a memo of its own, a variant that is seated later
    would look slow until it had seen the questions that the baseline has long known.
    """

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
        self.learn([question], [vector])
        return Remembered(vector, hit=False)

    def learn(self, questions: Iterable[str], vectors: Iterable[FloatArray]) -> None:
        """Remember vectors that were computed elsewhere, the newest last."""
        for question, vector in zip(questions, vectors, strict=True):
            self._vectors[question] = vector
            self._vectors.move_to_end(question)
        while len(self._vectors) > self._size:
            self._vectors.popitem(last=False)
