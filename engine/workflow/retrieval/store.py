"""Keeps an index on disk: built once per corpus, way of cutting and encoder, then only mapped."""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.config.retrieval import Chunking, Retrieval
from engine.errors import ConfigError
from engine.workflow.chunks import Chunk
from engine.workflow.embedding import Embed, FloatArray, embedding_version
from engine.workflow.retrieval.chunkers import VERSIONS, chunked
from engine.workflow.retrieval.corpora import corpus_of
from engine.workflow.retrieval.dense import GRAPH_FROM, Dense, write_graph
from engine.workflow.retrieval.passages import Passages, write_passages
from engine.workflow.retrieval.sparse import SPLITTING, Sparse, write_sparse

Progress = Callable[[int, int], None]
"""Takes how many passages are embedded and how many there are, and never waits."""

BATCH = 32
"""Chunks sent to the encoder at once, so that live questions get their turn in between."""
LAYOUT = "store-1"
"""Names the files of an index; part of its key."""


@dataclass(frozen=True)
class Store:
    """An index that is ready to be searched; row by row the parts speak of the same passage."""

    passages: Passages
    dense: Dense
    sparse: Sparse


def unwatched(done: int, total: int) -> None:
    """Nobody watches this index being built."""


async def load_store(
    cache: Path,
    settings: Retrieval,
    embed: Embed,
    *,
    version: str | None = None,
    progress: Progress = unwatched,
) -> Store:
    """The index that these settings need, built if it isn't there yet.

    Builders in other processes wait for the first one; a torn index is never seen, because the
    finished folder appears by one rename.

    Raises:
        ConfigError: The corpus is missing or holds no text.
    """
    texts = await asyncio.to_thread(corpus_of, settings.corpus)
    folder = _folder(cache, texts, settings, version)
    if not await asyncio.to_thread(folder.exists):
        await asyncio.to_thread(cache.mkdir, parents=True, exist_ok=True)
        async with _alone(folder.with_suffix(".lock")):
            if not await asyncio.to_thread(folder.exists):
                chunks = await asyncio.to_thread(chunked, texts, settings.chunking)
                if not chunks:
                    raise ConfigError(f"retrieval.corpus: {settings.corpus} holds no words")
                vectors = await _embedded(chunks, embed, progress)
                await asyncio.to_thread(write_store, folder, chunks, vectors)
    return await asyncio.to_thread(open_store, folder)


def is_stored(cache: Path, settings: Retrieval) -> bool:
    """Whether the index that these settings need is there.

    Raises:
        ConfigError: The corpus is missing.
    """
    return _folder(cache, corpus_of(settings.corpus), settings).exists()


def write_store(
    folder: Path, chunks: Sequence[Chunk], vectors: FloatArray, *, graph_from: int = GRAPH_FROM
) -> None:
    """Write every part of an index beside the folder, then make it appear there at once."""
    draft = folder.with_suffix(".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    write_passages(draft / "passages.arrow", chunks)
    np.save(draft / "vectors.npy", vectors.astype(np.float32))
    write_sparse(draft / "sparse", (chunk.text for chunk in chunks))
    if len(chunks) >= graph_from:
        write_graph(draft / "graph.usearch", vectors)
    for file in draft.rglob("*.*"):
        with file.open("rb") as written:
            os.fsync(written.fileno())
    draft.rename(folder)


def open_store(folder: Path) -> Store:
    """Map a finished index into memory."""
    graph = folder / "graph.usearch"
    vectors: FloatArray = np.load(folder / "vectors.npy", mmap_mode="r")
    return Store(
        passages=Passages(folder / "passages.arrow"),
        dense=Dense(vectors, graph if graph.exists() else None),
        sparse=Sparse(folder / "sparse"),
    )


@asynccontextmanager
async def _alone(lock: Path) -> AsyncIterator[None]:
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


def _folder(
    cache: Path, texts: Mapping[str, str], settings: Retrieval, version: str | None = None
) -> Path:
    version = embedding_version() if version is None else version
    return cache / f"store-{_key(texts, settings.chunking, version)}"


def _key(texts: Mapping[str, str], chunking: Chunking, version: str) -> str:
    cutting = [VERSIONS[chunking.chunker], chunking.model_dump(), SPLITTING, LAYOUT, version]
    digest = hashlib.sha256(json.dumps(cutting, sort_keys=True).encode())
    for topic, text in sorted(texts.items()):
        digest.update(json.dumps([topic, text]).encode())
    return digest.hexdigest()[:16]


async def _embedded(chunks: Sequence[Chunk], embed: Embed, progress: Progress) -> FloatArray:
    parts: list[FloatArray] = []
    for start in range(0, len(chunks), BATCH):
        batch = chunks[start : start + BATCH]
        parts.append(await embed([chunk.text for chunk in batch]))
        progress(start + len(batch), len(chunks))
    return np.concatenate(parts)
