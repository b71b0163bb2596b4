import asyncio

import numpy as np
import pytest

from engine.config.retrieval import Chunking, Retrieval
from engine.errors import ConfigError
from engine.workflow.retrieval.store import is_stored, load_store
from tests.engine.workflow.retrieval.stores import Letters, store_of


@pytest.fixture
def texts(tmp_path):
    folder = tmp_path / "texts"
    (folder / "deep").mkdir(parents=True)
    (folder / "fruit.md").write_text("Apples grow on trees. Pears do so too. " * 8)
    (folder / "deep" / "metal.txt").write_text("Iron rusts in water and copper turns green. " * 8)
    (folder / "picture.png").write_bytes(b"\x89PNG")
    return folder


def settings(texts, **chunking):
    return Retrieval(corpus=f"folder:{texts}", chunking=Chunking(chars=120, **chunking))


async def load(tmp_path, texts, embed, version="letters-1", **chunking):
    return await load_store(tmp_path / "cache", settings(texts, **chunking), embed, version=version)


def topics(store):
    return {store.passages[row].topic for row in range(len(store.passages))}


async def test_a_folder_is_searched_by_its_texts_paths(tmp_path, texts):
    store = await load(tmp_path, texts, Letters())

    assert topics(store) == {"fruit.md", "deep/metal.txt"}


async def test_an_index_is_built_once(tmp_path, texts):
    embed = Letters()
    first = await load(tmp_path, texts, embed)
    built = embed.texts

    second = await load(tmp_path, texts, embed)

    assert built == len(first.passages) == embed.texts
    assert np.array_equal(first.dense.vectors, second.dense.vectors)
    assert [second.passages[n] for n in range(built)] == [first.passages[n] for n in range(built)]


async def test_an_index_that_was_built_is_known_to_be_there(tmp_path, texts):
    cache = tmp_path / "cache"
    before = is_stored(cache, settings(texts))

    await load_store(cache, settings(texts), Letters())

    assert not before
    assert is_stored(cache, settings(texts))


async def test_two_builders_at_once_build_once(tmp_path, texts):
    embed = Letters()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(load(tmp_path, texts, embed)) for _ in range(2)]

    assert embed.texts == len(tasks[0].result().passages)


@pytest.mark.parametrize("change", [{"version": "letters-2"}, {"chunker": "sentences"}])
async def test_another_encoder_or_way_of_cutting_is_another_index(tmp_path, texts, change):
    embed = Letters()
    await load(tmp_path, texts, embed)
    built = embed.texts

    await load(tmp_path, texts, embed, **change)

    assert embed.texts > built


async def test_a_changed_text_is_another_index(tmp_path, texts):
    embed = Letters()
    await load(tmp_path, texts, embed)
    (texts / "fruit.md").write_text("Plums are blue.")

    store = await load(tmp_path, texts, embed)

    found = [store.passages[row] for row in range(len(store.passages))]
    assert ("fruit.md", "Plums are blue.") in found


async def test_a_builder_that_fails_leaves_nothing_behind_that_could_be_read(tmp_path, texts):
    class Broken(Letters):
        async def __call__(self, texts):
            raise OSError("the encoder died")

    with pytest.raises(OSError, match="died"):
        await load(tmp_path, texts, Broken())

    store = await load(tmp_path, texts, Letters())
    assert topics(store) == {"fruit.md", "deep/metal.txt"}


async def test_building_tells_how_far_it_is(tmp_path, texts):
    told = []

    store = await load_store(
        tmp_path / "cache",
        settings(texts),
        Letters(),
        version="1",
        progress=lambda done, total: told.append((done, total)),
    )

    assert told[-1] == (len(store.passages), len(store.passages))


@pytest.mark.parametrize("kind", ["missing", "empty", "wordless", "binary"])
async def test_a_corpus_that_cannot_be_read_is_named(tmp_path, kind):
    folder = tmp_path / kind
    if kind != "missing":
        folder.mkdir()
    if kind == "wordless":
        (folder / "a.txt").write_text(" \n ")
    if kind == "binary":
        (folder / "a.txt").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match=r"retrieval\.corpus: .*" + kind):
        await load(tmp_path, folder, Letters())


def test_passages_beyond_one_batch_keep_their_rows(tmp_path):
    texts = [f"passage {n}" for n in range(5_000)]

    store = store_of(tmp_path / "store", texts)

    assert [store.passages[row].text for row in (0, 4_095, 4_096, 4_999)] == [
        "passage 0",
        "passage 4095",
        "passage 4096",
        "passage 4999",
    ]
