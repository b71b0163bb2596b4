import asyncio
import threading

import numpy as np
import pytest

from engine.config.embedding import PACKAGED, EmbeddingModel, Embeddings
from engine.errors import ConfigError, NotFoundError
from engine.workflow.embeddings.models import Models

WORDS = EmbeddingModel(kind="words")


class Numbers:
    """An encoder that says its settings' number of tokens in every vector."""

    def __init__(self, settings, gate):
        gate.wait(5.0)
        if settings.version == "broken":
            raise ConfigError("broken")
        self._vector = np.full(2, settings.max_tokens, np.float32)
        self.bytes = 1_000_000

    def encode(self, texts):
        return np.stack([self._vector for _ in texts])

    def tokens(self, texts):
        return sum(len(text.split()) for text in texts)


@pytest.fixture
def gate():
    made = threading.Event()
    made.set()
    return made


@pytest.fixture
async def models(gate):
    settings = embeddings(one=100, other=200)
    made = Models(settings, lambda model: Numbers(model, gate))
    yield made
    await made.close()


def embeddings(**tokens):
    more = {name: EmbeddingModel(max_tokens=most) for name, most in tokens.items()}
    return Embeddings(models={PACKAGED: EmbeddingModel()} | more)


async def first(models, name):
    return (await models.encode(name, ["a"])).vectors[0, 0]


async def test_each_name_is_its_own_model(models):
    assert [await first(models, name) for name in ("one", "other", PACKAGED)] == [100, 200, 256]


async def test_a_model_is_loaded_when_it_is_first_asked_for(models):
    assert models.figures() == []

    await models.encode("one", ["a", "b"])

    (figures,) = models.figures()
    assert (figures.name, figures.bytes, figures.counts.texts) == ("one", 1_000_000, 2)


async def test_a_model_is_warm_before_it_takes_requests(models):
    figures = await models.load("one")

    assert [rate.size for rate in figures.rates] == [1, 2, 4, 8, 16, 32, 64]
    assert figures.batch in [rate.size for rate in figures.rates]
    assert figures.counts.texts == 0


async def test_an_unknown_name_says_which_there_are(models):
    with pytest.raises(NotFoundError, match="other"):
        await models.encode("othr", ["a"])


async def test_tokens_are_the_models_own(models):
    assert await models.tokens("one", ["a b", "c"]) == 3


async def test_no_request_is_dropped_while_a_model_is_swapped(models, gate):
    await models.load("one")
    seen, stop = [], asyncio.Event()

    async def keep_asking():
        while not stop.is_set():
            seen.append(await first(models, "one"))

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(keep_asking())
        for tokens in (300, 400, 500):
            gate.clear()
            updating = group.create_task(models.update(embeddings(one=tokens).models))
            await asyncio.sleep(0.02)
            before = len(seen)
            await asyncio.sleep(0.02)
            assert len(seen) > before
            gate.set()
            await updating
            assert await first(models, "one") == tokens
        stop.set()

    assert seen == sorted(seen)
    assert set(seen) <= {100, 300, 400, 500}


async def test_the_version_is_that_of_the_model_which_answered(models):
    await models.load("one")
    before = await models.encode("one", ["a"])

    await models.update(embeddings(one=300).models)

    after = await models.encode("one", ["a"])
    assert before.version != after.version == models.version("one")


async def test_an_update_that_fails_leaves_the_old_model(models):
    await models.load("one")
    broken = EmbeddingModel(version="broken")

    with pytest.raises(ConfigError):
        await models.update(embeddings().models | {"one": broken})

    assert await first(models, "one") == 100


async def test_an_update_heals_a_model_that_was_refused(models):
    await models.update(embeddings().models | {"one": EmbeddingModel(version="broken")})
    with pytest.raises(ConfigError):
        await first(models, "one")

    await models.update(embeddings(one=7 + 1).models)

    assert await first(models, "one") == 8


async def test_a_name_that_is_taken_away_is_not_found(models):
    await models.load("one")

    await models.update(embeddings().models)

    assert models.names() == [PACKAGED]
    with pytest.raises(NotFoundError):
        await first(models, "one")


async def test_the_models_of_this_machine_answer_side_by_side():
    models = Models(Embeddings(models={PACKAGED: EmbeddingModel(), "words": WORDS}))

    layers = await models.encode(PACKAGED, ["How do I sort a list?"])
    words = await models.encode("words", ["How do I sort a list?"])
    figures = {each.name: each for each in models.figures()}
    await models.close()

    assert layers.vectors.shape == words.vectors.shape == (1, 384)
    assert not np.allclose(layers.vectors, words.vectors)
    assert figures[PACKAGED].bytes == pytest.approx(91e6, rel=0.05)
    assert figures["words"].bytes == pytest.approx(47e6, rel=0.05)
