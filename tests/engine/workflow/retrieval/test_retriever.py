import asyncio
import base64
import time

import numpy as np
import pytest

from engine.config.retrieval import Reranking, Retrieval, Rewriting
from engine.errors import DeadlineError
from engine.workflow.memo import QueryMemo
from engine.workflow.retrieval.retriever import Retriever, pictures_of
from engine.workflow.run import Run
from engine.workflow.spans import Timeline
from tests.engine.workflow.context.asked import Says, a_run
from tests.engine.workflow.retrieval.stores import Letters, letters, store_of

TEXTS = ["Iron rusts in water.", "Copper turns green.", "Apples grow on trees."]
PICTURE = {
    "type": "image_url",
    "image_url": {"url": "data:image/png;base64," + base64.b64encode(b"an apple").decode()},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return store_of(tmp_path_factory.mktemp("cache") / "store", TEXTS)


def retriever(store, asker=None, embed=None, embed_image=None, **settings):
    memo = QueryMemo(embed or Letters())
    chosen = Retrieval(**{"top_k": 2} | settings)
    return Retriever(store, chosen, memo, asker or Says(""), embed_image=embed_image)


def user(content):
    return [{"role": "user", "content": content}]


@pytest.mark.parametrize("mode", ["dense", "sparse", "hybrid"])
async def test_the_passage_that_is_asked_for_comes_first(store, mode):
    run, spans = a_run()

    hits = await retriever(store, mode=mode).found(user("Copper turns green."), run)

    assert hits[0].chunk.text == "Copper turns green."
    assert len(hits) <= 2
    assert [span["node"] for span in spans] == ["retrieve"]


async def test_a_question_that_was_asked_before_is_not_embedded_again(store):
    embed = Letters()
    retrieve = retriever(store, embed=embed)
    run, spans = a_run()

    for _ in range(2):
        await retrieve.found(user("iron"), run)

    assert embed.texts == 1
    assert [span["cache_hit"] for span in spans] == [False, True]


async def test_every_step_leaves_its_span(store):
    run, spans = a_run()
    chosen = {"rewrite": Rewriting(queries=2), "rerank": Reranking(method="mmr")}

    await retriever(store, Says("Does iron rust?"), **chosen).found(user("iron?"), run)

    assert [span["node"] for span in spans] == ["rewrite", "retrieve", "rerank"]
    assert spans[1]["queries"] == 2


async def test_a_graph_finds_as_many_as_it_asks_for(store):
    run, _ = a_run()

    found = await retriever(store).find("iron", run, 3)

    assert len(found) == 3
    assert found[0].keys() == {"topic", "text", "score"}


async def test_a_picture_finds_what_lies_near_it(store):
    async def embed_image(pictures):
        await asyncio.sleep(0)
        return letters(["Apples grow on trees." for picture in pictures if picture == b"an apple"])

    run, spans = a_run()
    retrieve = retriever(store, embed_image=embed_image, mode="hybrid", top_k=1)

    hits = await retrieve.found(user([{"type": "text", "text": "apples?"}, PICTURE]), run)

    assert hits[0].chunk.text == "Apples grow on trees."
    assert spans[0]["queries"] == 2


def test_pictures_behind_an_address_are_not_fetched():
    behind = {"type": "image_url", "image_url": {"url": "http://127.0.0.1/a.png"}}
    torn = {"type": "image_url", "image_url": {"url": "data:image/png;base64,*"}}

    assert list(pictures_of({"role": "user", "content": [behind, torn, PICTURE]})) == [b"an apple"]


async def test_a_vector_that_comes_too_late_ends_the_request(store):
    async def slow(texts):
        await asyncio.sleep(5.0)
        return np.zeros((len(texts), 26), dtype=np.float32)

    run = Run("r", time.monotonic() + 0.05, Timeline([]))

    with pytest.raises(DeadlineError):
        await retriever(store, embed=slow).found(user("iron"), run)
