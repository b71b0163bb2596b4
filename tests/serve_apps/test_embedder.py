"""The embedder as its replica runs it; no cluster is needed for that."""

import numpy as np
import pytest
import pytest_asyncio

from engine.config.embedding import PACKAGED
from engine.errors import NotFoundError
from serve_apps.embedder import Embedder

WITH_WORDS = {"models": {PACKAGED: {}, "words": {"kind": "words"}}}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def embedder():
    # Serve awaits the constructor, so here it is awaited too.
    made = Embedder.__new__(Embedder)
    await made.__init__(WITH_WORDS)
    return made


def counts(embedder, name):
    (found,) = [each for each in embedder.figures() if each["name"] == name]
    return found["counts"]


async def test_the_packaged_model_is_ready_at_once(embedder):
    figures = embedder.figures()[0]

    assert figures["name"] == PACKAGED
    assert len(figures["rates"]) == 7


async def test_a_text_that_was_encoded_is_not_encoded_again(embedder):
    first = await embedder.encode(["a", "b", "a"], "words")
    again = await embedder.encode(["b", "a"], "words")

    np.testing.assert_array_equal(first[:2], again[::-1])
    assert counts(embedder, "words")["encoded"] == 2


async def test_what_another_version_said_is_not_remembered(embedder):
    await embedder.encode(["a"], "words")
    await embedder.encode(["a"])

    await embedder.update({"models": {PACKAGED: {}, "words": {"kind": "words", "version": "2"}}})
    await embedder.encode(["a"], "words")

    assert counts(embedder, "words")["encoded"] == 1


async def test_what_was_asked_of_late_is_told_to_who_begins(embedder):
    asked = await embedder.encode(["late", "later"])
    await embedder.encode(["later still"], "words")

    texts, vectors = embedder.recent()

    assert texts[-2:] == ["late", "later"]
    np.testing.assert_array_equal(vectors[-2:], asked)


async def test_tokens_are_counted_for_who_asks(embedder):
    vectors, tokens = await embedder.embed("words", ["one two", "three"])

    assert (vectors.shape, tokens) == ((2, 384), 3)


async def test_a_model_that_is_not_served_is_not_found(embedder):
    with pytest.raises(NotFoundError, match="words"):
        await embedder.embed("wrods", ["a"])
