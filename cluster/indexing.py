"""Builds the indexes that are missing, in a process of its own: the encoder is large."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.config.workflow import Rag
from engine.workflow.embedding import FloatArray, MiniLm
from engine.workflow.retrieval.store import load_store


async def build(cache: Path, sizes: Sequence[int]) -> None:
    """Build one index per chunk size; the encoder is loaded at the first that is missing."""
    encoders: list[MiniLm] = []

    async def embed(texts: Sequence[str]) -> FloatArray:
        if not encoders:
            encoders.append(MiniLm(threads=2))
        return await asyncio.to_thread(encoders[0].encode, texts)

    for size in sizes:
        await load_store(cache, Rag(chunk_chars=size).retrieval, embed)


if __name__ == "__main__":
    asyncio.run(build(Path(sys.argv[1]), [int(size) for size in sys.argv[2:]]))
