"""Remembers answers to questions that mean the same."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.config.caching import Semantic
from engine.errors import TrimtabError
from engine.workflow.caching.counts import Counts
from engine.workflow.caching.exact import NOTHING_USED
from engine.workflow.caching.guards import difference
from engine.workflow.caching.prompt import Prompt
from engine.workflow.caching.rows import Near, Rows
from engine.workflow.caching.wording import Wording, wording
from engine.workflow.embedding import Embed, FloatArray
from engine.workflow.reply import Reply

DIMENSION = 384
MOST_READ = 16
"""Near questions whose words are compared: the right one is among the nearest, or nowhere."""


@dataclass(frozen=True)
class Sought:
    """What a look-up came to; the vector is there for the answer that is made now."""

    vector: FloatArray | None
    """None where the encoder failed."""
    reply: Reply | None = None
    cosine: float | None = None
    """Of the answered question; None without one."""


@dataclass(frozen=True)
class _Entry:
    namespace: str
    scope: str
    wording: Wording
    reply: Reply


class SemanticCache:
    """Answers of one process by meaning: all variants', and each variant's for itself alone.

    An answer serves a question that differs from its own in nothing but the words of the last
    message, which have to be near by vector and the same to the guards.
    """

    def __init__(
        self,
        settings: Semantic,
        embed: Embed,
        *,
        dimension: int = DIMENSION,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._embed = embed
        self._clock = clock
        self._rows = Rows(settings.entries, dimension, settings.threshold)
        self._entries: dict[int, _Entry] = {}
        self._counts = Counts()

    def __len__(self) -> int:
        return len(self._rows)

    def fits(self, prompt: Prompt) -> bool:
        """Whether the prompt ends in a question short enough to be compared."""
        return prompt.question is not None and len(prompt.question) <= self._settings.max_chars

    async def get(self, prompt: Prompt) -> Sought:
        """The answer to a question that means the same, at no charge, for a prompt that fits."""
        question = prompt.question or ""
        try:
            # Marks and spaces at the ends move a vector and say nothing.
            vector = (await self._embed([question.strip().rstrip("?!. ")]))[0]
        except (TrimtabError, RuntimeError, OSError):
            self._counts.errors += 1
            return Sought(None)
        found = self._found(prompt, wording(question), vector)
        self._counts.looked(hit=found is not None)
        if found is None:
            return Sought(vector)
        self._rows.touch(found.row)
        reply = replace(self._entries[found.row].reply, usage=NOTHING_USED)
        return Sought(vector, reply, round(found.cosine, 4))

    def put(self, prompt: Prompt, vector: FloatArray, reply: Reply) -> None:
        """Remember the answer to a prompt that fits, under the vector that `get` gave."""
        now = self._clock()
        row = self._rows.add(vector, _number(prompt.scope), now + self._settings.ttl_s, now)
        read = wording(prompt.question or "")
        self._entries[row] = _Entry(prompt.namespace, prompt.scope, read, reply)

    def drop(self, namespace: str) -> None:
        """Forget a variant's answers."""
        rows = [row for row, entry in self._entries.items() if entry.namespace == namespace]
        self._rows.remove(rows)
        for row in rows:
            del self._entries[row]

    def counts(self) -> Counts:
        """What was found so far."""
        return self._counts

    def _found(self, prompt: Prompt, asked: Wording, vector: FloatArray) -> Near | None:
        near = self._rows.near(vector, _number(prompt.scope), self._clock())
        for each in near[:MOST_READ]:
            entry = self._entries[each.row]
            # The number is a short form of the scope; the scope itself is the law.
            if entry.scope == prompt.scope and difference(entry.wording, asked) is None:
                return each
        self._counts.refused += bool(near)
        return None


def _number(scope: str) -> int:
    return int(scope[:15], 16)
