"""Small indexes for tests."""

import asyncio

import numpy as np

from engine.workflow.chunks import Chunk
from engine.workflow.retrieval.store import open_store, write_store


class Letters:
    """Embeds a text by how often each letter occurs; counts its texts."""

    def __init__(self):
        self.texts = 0

    async def __call__(self, texts):
        self.texts += len(texts)
        await asyncio.sleep(0)
        return letters(texts)


def letters(texts):
    counts = [[text.lower().count(chr(97 + i)) + 0.01 for i in range(26)] for text in texts]
    vectors = np.asarray(counts, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def store_of(folder, texts, **how):
    chunks = [Chunk(str(n), text) for n, text in enumerate(texts)]
    write_store(folder, chunks, letters(texts), **how)
    return open_store(folder)
