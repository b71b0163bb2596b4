import asyncio

import numpy as np
import pytest

from engine.errors import UnmeasuredError
from engine.workflow.chunks import Chunk
from engine.workflow.index import Index, load_index

CORPUS = {
    "fruit": "Apples grow on trees. Pears do so too. " * 8,
    "metal": "Iron rusts in water and copper turns green. " * 8,
}


class Letters:
    """Embeds a text by how often each letter occurs; counts its calls."""

    def __init__(self):
        self.texts = 0

    async def __call__(self, texts):
        self.texts += len(texts)
        await asyncio.sleep(0)
        counts = [[text.lower().count(chr(97 + i)) + 0.01 for i in range(26)] for text in texts]
        vectors = np.asarray(counts, dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


async def load(cache, embed, **changes):
    wanted = {"chunk_chars": 120, "corpus": CORPUS, "version": "letters-1"} | changes
    return await load_index(cache, wanted.pop("chunk_chars"), embed, **wanted)


async def test_a_chunk_finds_itself_first(tmp_path):
    embed = Letters()
    index = await load(tmp_path, embed)
    vector = (await embed(["Iron rusts in water"]))[0]

    hits = index.search(vector, 3)

    assert len(hits) == 3
    assert hits[0].chunk.topic == "metal"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


async def test_more_hits_than_chunks_are_all_chunks(tmp_path):
    index = await load(tmp_path, Letters())

    hits = index.search(index.vectors[0], 1_000)

    assert len(hits) == len(index.chunks)


async def test_an_index_is_built_once(tmp_path):
    embed = Letters()
    first = await load(tmp_path, embed)
    built = embed.texts

    second = await load(tmp_path, embed)

    assert built == len(first.chunks)
    assert embed.texts == built
    assert second.chunks == first.chunks
    assert np.array_equal(second.vectors, first.vectors)


async def test_two_builders_at_once_build_once(tmp_path):
    embed = Letters()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(load(tmp_path, embed)) for _ in range(2)]

    assert embed.texts == len(tasks[0].result().chunks)


@pytest.mark.parametrize(
    "change",
    [{"chunk_chars": 100}, {"version": "letters-2"}, {"corpus": {"fruit": "Plums. " * 40}}],
)
async def test_another_content_size_or_version_is_another_index(tmp_path, change):
    embed = Letters()
    await load(tmp_path, embed)
    before = embed.texts

    await load(tmp_path, embed, **change)

    assert embed.texts > before


async def test_a_builder_that_fails_leaves_no_index_behind(tmp_path):
    async def broken(texts):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await load(tmp_path, broken)

    index = await load(tmp_path, Letters())
    assert index.chunks


def test_chunks_without_vectors_are_refused():
    with pytest.raises(UnmeasuredError, match="1 chunks, 0 vectors"):
        Index([Chunk("a", "b")], np.zeros((0, 2), dtype=np.float32))
