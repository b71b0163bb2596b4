"""Finds the chunks whose meaning is nearest to a question's."""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from engine.errors import UnmeasuredError
from engine.workflow.chunks import CHUNKING, Chunk, chunked
from engine.workflow.corpus import python_reference
from engine.workflow.embedding import Embed, FloatArray, embedding_version

BATCH = 32
"""Chunks sent to the encoder at once, so that live questions get their turn in between."""


BLOCK = 512
"""Rows multiplied at once: few enough that the linear algebra library starts no threads for them,
which costs milliseconds where cores are busy."""


class Hit(NamedTuple):
    """A chunk that was found, and how near it is."""

    chunk: Chunk
    score: float


class Index:
    """Chunks and their unit-norm vectors, row by row."""

    def __init__(self, chunks: Sequence[Chunk], vectors: FloatArray) -> None:
        if len(chunks) != len(vectors):
            raise UnmeasuredError(f"index: {len(chunks)} chunks, {len(vectors)} vectors")
        self.chunks = tuple(chunks)
        self.vectors = vectors

    def search(self, vector: FloatArray, k: int) -> list[Hit]:
        """The `k` nearest chunks by cosine, best first; ties keep the corpus's order."""
        rows = range(0, len(self.vectors), BLOCK)
        scores = np.concatenate([self.vectors[row : row + BLOCK] @ vector for row in rows])
        best = np.argsort(-scores, kind="stable")[:k]
        return [Hit(self.chunks[i], float(scores[i])) for i in best]


async def load_index(
    cache: Path,
    chunk_chars: int,
    embed: Embed,
    *,
    corpus: Mapping[str, str] | None = None,
    version: str | None = None,
) -> Index:
    """The index of a corpus, built once per content, chunk size and embedding version.

    Builders in other processes wait for the first one; a torn index is never seen, because the
    finished folder appears by one rename.
    """
    texts = python_reference() if corpus is None else corpus
    version = embedding_version() if version is None else version
    folder = cache / f"index-{_key(texts, chunk_chars, version)}"
    if not await asyncio.to_thread(folder.exists):
        await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
        async with alone(folder.with_suffix(".lock")):
            if not await asyncio.to_thread(folder.exists):
                await _build(folder, chunked(texts, chunk_chars), embed)
    return await asyncio.to_thread(_read, folder)


def _key(corpus: Mapping[str, str], chunk_chars: int, version: str) -> str:
    content = json.dumps([CHUNKING, chunk_chars, version, sorted(corpus.items())])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


@asynccontextmanager
async def alone(lock: Path) -> AsyncIterator[None]:
    """Hold a lock file among all processes of this machine."""
    # The kernel drops the lock when its holder dies, so a killed builder blocks nobody.
    descriptor = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


async def _build(folder: Path, chunks: tuple[Chunk, ...], embed: Embed) -> None:
    batches = [
        await embed([chunk.text for chunk in chunks[start : start + BATCH]])
        for start in range(0, len(chunks), BATCH)
    ]
    await asyncio.to_thread(_write, folder, chunks, np.concatenate(batches))


def _write(folder: Path, chunks: tuple[Chunk, ...], vectors: FloatArray) -> None:
    draft = folder.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    with (draft / "chunks.json").open("w") as file:
        json.dump(chunks, file)
        file.flush()
        os.fsync(file.fileno())
    with (draft / "vectors.npy").open("wb") as file:
        np.save(file, vectors.astype(np.float32))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(folder)


def _read(folder: Path) -> Index:
    chunks = [Chunk(*row) for row in json.loads((folder / "chunks.json").read_text())]
    return Index(chunks, np.load(folder / "vectors.npy", mmap_mode="r"))
