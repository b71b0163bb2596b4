from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from engine.config.caching import Semantic
from engine.config.workflow import Llm
from engine.workflow.caching.guards import difference
from engine.workflow.caching.prompt import Prompt
from engine.workflow.caching.semantic import SemanticCache
from engine.workflow.caching.wording import wording
from engine.workflow.embedding import MiniLm
from engine.workflow.parts import NOTHING
from tests.engine.workflow.caching.scripted import by_meaning, reply, spelled, user

PAIRS = yaml.safe_load(Path(__file__).with_name("pairs.yaml").read_text(encoding="utf-8"))
APART = [(kind, *pair) for kind, pairs in PAIRS["apart"].items() for pair in pairs]
ALIKE = PAIRS["alike"]
UNSURE = PAIRS["unsure"]


def prompt(question, *, namespace="v1", before=()):
    return Prompt(namespace, Llm(), [*before, *user(question)], NOTHING, "usual")


def test_the_fixtures_are_many():
    assert len(APART) >= 40
    assert len(ALIKE) >= 20


@pytest.mark.parametrize(("kind", "one", "other"), APART)
def test_guards_tell_apart_what_wants_different_answers(kind, one, other):
    assert difference(wording(one), wording(other)) is not None


@pytest.mark.parametrize(("one", "other"), ALIKE + UNSURE)
def test_guards_let_pass_what_asks_the_same(one, other):
    assert difference(wording(one), wording(other)) is None


@given(st.text(max_size=200), st.text(max_size=200))
def test_guards_take_any_text_and_both_sides_alike(one, other):
    there, back = (
        difference(wording(one), wording(other)),
        difference(wording(other), wording(one)),
    )

    assert there == back


@pytest.fixture(scope="module")
def encoder():
    return MiniLm()


async def test_with_real_vectors_all_that_is_alike_hits_and_nothing_else(encoder):
    async def embed(texts):
        return encoder.encode(texts)

    async def hits(one, other):
        cache = SemanticCache(Semantic(entries=4), embed)
        cache.put(prompt(one), (await cache.get(prompt(one))).vector, reply())
        return (await cache.get(prompt(other))).reply is not None

    wrong = [pair for _, *pair in APART if await hits(*pair)]
    missed = [pair for pair in ALIKE if not await hits(*pair)]

    assert (wrong, missed) == ([], [])


async def remember(cache, asked):
    cache.put(asked, (await cache.get(asked)).vector, reply())


async def test_an_answer_expires():
    now_s = [0.0]
    cache = SemanticCache(Semantic(ttl_s=10.0, entries=4), spelled, clock=lambda: now_s[0])
    await remember(cache, prompt("how do I sort a list"))

    now_s[0] = 10.0

    assert (await cache.get(prompt("how do I sort a list"))).reply is None


async def test_no_more_entries_than_the_bound():
    cache = SemanticCache(Semantic(entries=10), spelled)

    for n in range(50):
        await remember(cache, prompt(f"what is item {n} good for"))

    assert len(cache) <= 10
    assert (await cache.get(prompt("what is item 49 good for"))).reply is not None


async def test_near_questions_that_were_told_apart_are_counted():
    cache = by_meaning()
    await remember(cache, prompt("what is the status of order 12345"))

    found = await cache.get(prompt("what is the status of order 12346"))

    assert found.reply is None
    assert cache.counts().refused == 1


async def test_an_encoder_that_fails_is_a_miss_and_a_count():
    async def broken(texts):
        raise RuntimeError("out of memory")

    cache = SemanticCache(Semantic(entries=4), broken)

    found = await cache.get(prompt("how do I sort a list"))

    assert (found.reply, found.vector, cache.counts().errors) == (None, None, 1)


@pytest.mark.parametrize(
    "last",
    [
        {"role": "tool", "tool_call_id": "c", "content": "42"},
        {"role": "assistant", "content": "hm"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "user", "content": "hi", "name": "ada"},
        {"role": "user", "content": " "},
        {"role": "user", "content": "x" * 601},
    ],
)
def test_only_a_short_plain_question_is_compared(last):
    asked = Prompt("v1", Llm(), [last], NOTHING, "usual")

    assert not by_meaning().fits(asked)
