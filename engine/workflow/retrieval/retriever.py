"""From a conversation to the passages that its last question needs."""

import asyncio
import base64
import binascii
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from engine.config.retrieval import Retrieval
from engine.errors import DeadlineError
from engine.workflow.chunks import Hit
from engine.workflow.embedding import FloatArray
from engine.workflow.memo import QueryMemo
from engine.workflow.parts import Asker
from engine.workflow.reply import Message
from engine.workflow.retrieval.hybrid import Query, searched
from engine.workflow.retrieval.rerank import rerank_of
from engine.workflow.retrieval.rewrite import asked_alone, ways_of_asking
from engine.workflow.retrieval.store import Store
from engine.workflow.run import Run

EmbedImage = Callable[[Sequence[bytes]], Awaitable[FloatArray]]
"""Unit-norm vectors of pictures, one row each, in the same space as the passages' vectors."""


class Retriever:
    """One variant's way to passages; only the vectors of questions are shared among variants."""

    def __init__(
        self,
        store: Store,
        settings: Retrieval,
        memo: QueryMemo,
        asker: Asker,
        *,
        embed_image: EmbedImage | None = None,
    ) -> None:
        """Without `embed_image` the pictures of a question are not searched for.

        Raises:
            ConfigError: Reranking needs a model that is not on this machine.
        """
        self._store = store
        self._settings = settings
        self._memo = memo
        self._asker = asker
        self._embed_image = embed_image
        self._rerank = rerank_of(settings.rerank)

    async def find(self, query: str, run: Run, top_k: int) -> list[dict[str, Any]]:
        """Passages for a query that has no conversation: topic, text and score, best first.

        Raises:
            DeadlineError: The request's time ran out.
        """
        hits = await self.found([{"role": "user", "content": query}], run, top_k)
        return [
            {"topic": hit.chunk.topic, "text": hit.chunk.text, "score": hit.score} for hit in hits
        ]

    async def found(
        self, messages: Sequence[Message], run: Run, top_k: int | None = None
    ) -> list[Hit]:
        """Passages for the conversation's last message, best first; the settings' `top_k` usually.

        Raises:
            DeadlineError: The request's time ran out.
        """
        rewriting = self._settings.rewrite
        k = self._settings.top_k if top_k is None else top_k
        question = await asked_alone(messages, rewriting, self._asker, run)
        texts = await ways_of_asking(question, rewriting, self._asker, run)
        with run.timeline.span("retrieve") as span:
            try:
                async with asyncio.timeout(run.within(math.inf)):
                    queries, remembered = await self._queries(texts)
                    queries += await self._seen(messages[-1])
            except TimeoutError as error:
                raise DeadlineError("the question's vector came too late") from error
            span.update(cache_hit=remembered, queries=len(queries))
            # In a thread, for over many passages it takes milliseconds that others wait for.
            ranked = await asyncio.to_thread(searched, self._store, queries, self._settings, k)
            span["found"] = len(ranked)
        if self._settings.rerank.method == "none":
            return self._rerank(queries[0], ranked, self._store, k)
        with run.timeline.span("rerank"):
            return await asyncio.to_thread(self._rerank, queries[0], ranked, self._store, k)

    async def _queries(self, texts: Sequence[str]) -> tuple[list[Query], bool]:
        if self._settings.mode == "sparse":
            return [Query(text, None) for text in texts], False
        known = [await self._memo.vector(text) for text in texts]
        queries = [Query(text, one.vector) for text, one in zip(texts, known, strict=True)]
        return queries, all(one.hit for one in known)

    async def _seen(self, message: Message) -> list[Query]:
        pictures = list(pictures_of(message))
        if self._embed_image is None or not pictures or self._settings.mode == "sparse":
            return []
        return [Query("", vector) for vector in await self._embed_image(pictures)]


def pictures_of(message: Message) -> Iterator[bytes]:
    """The pictures that a message carries itself; those behind an address are not fetched."""
    content = message.get("content")
    for part in content if isinstance(content, list) else ():
        match part:
            case {"type": "image_url", "image_url": {"url": str() as url}}:
                head, _, body = url.partition(";base64,")
                if head.startswith("data:image/"):
                    try:
                        yield base64.b64decode(body, validate=True)
                    except binascii.Error:
                        continue
            case _:
                continue
