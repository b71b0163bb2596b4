import asyncio

import pytest

from engine.config.caching import Caching, Exact
from engine.config.workflow import Llm
from engine.errors import DeadlineError
from engine.workflow.caching.guarded import GuardedStore
from engine.workflow.caching.redis import RedisStore
from engine.workflow.failure import LlmError
from engine.workflow.parts import Offer
from engine.workflow.reply import ToolCall, Usage
from tests.engine.workflow.caching.scripted import (
    Request,
    Scripted,
    by_meaning,
    cached,
    reply,
    together,
    user,
)

SORT = user("How do I sort a list in Python?")


async def test_the_same_prompt_is_asked_once():
    asker = Scripted()
    front = cached(asker)
    first, second = Request(), Request()

    made = await front.ask(SORT, first.run, node="qa")
    known = await front.ask(SORT, second.run, node="qa")

    assert (made.text, asker.asked) == (known.text, 1)
    assert (front.counts()["exact"].hits, front.counts()["exact"].misses) == (1, 1)


async def test_a_remembered_answer_takes_no_step_and_no_money():
    front = cached(Scripted())
    await front.ask(SORT, Request().run, node="qa")
    request = Request()

    known = await front.ask(SORT, request.run, node="qa")

    assert known.usage == Usage(0, 0, 0.0)
    assert (request.run.steps, request.run.tokens, request.run.usages) == (0, 0, [])


async def test_a_look_up_leaves_a_span():
    front = cached(Scripted())
    first, second = Request(), Request()

    await front.ask(SORT, first.run, node="qa")
    await front.ask(SORT, second.run, node="qa")

    seen = [(span["node"], span["kind"], span.get("cache_hit")) for span in first.spans]
    assert seen == [("qa", "cache", False), ("qa", "llm", None)]
    assert [(span["cache_hit"], span["cache"]) for span in second.spans] == [(True, "exact")]


async def test_a_remembered_answer_is_streamed_in_one_piece():
    front = cached(Scripted())
    await front.ask(SORT, Request().run, node="qa")
    heard = []

    await front.ask(SORT, Request().run, node="qa", on_text=heard.append)

    assert heard == ["on How do I sort a list in Python?"]


CALL = ToolCall("c1", "search", "{}")


@pytest.mark.parametrize(
    "said",
    [
        reply("cut of", finish="length"),
        reply("", finish="content_filter"),
        reply("who knows", finish=None),
        reply("  "),
        reply("", finish="tool_calls", calls=[CALL]),
    ],
)
async def test_an_incomplete_answer_is_not_remembered(said):
    asker = Scripted(lambda _: said)
    front = cached(asker)

    for _ in range(2):
        await front.ask(SORT, Request().run, node="qa")

    assert asker.asked == 2


async def test_turns_that_call_tools_are_remembered_where_allowed():
    asker = Scripted(lambda _: reply("", finish="tool_calls", calls=[CALL]))
    front = cached(asker, exact=Exact(enabled=True, tool_calls=True))

    for _ in range(2):
        said = await front.ask(SORT, Request().run, node="qa")

    assert (said.tool_calls, asker.asked) == ((CALL,), 1)


async def test_a_failure_is_not_remembered():
    outcomes = iter([LlmError("upstream_5xx", "down"), reply("well again")])
    front = cached(Scripted(lambda _: next(outcomes)))

    with pytest.raises(LlmError):
        await front.ask(SORT, Request().run, node="qa")
    said = await front.ask(SORT, Request().run, node="qa")

    assert said.text == "well again"


async def test_what_stood_in_for_an_answer_is_not_remembered():
    asker = Scripted()
    front = cached(asker)
    poor = Request()
    poor.run.give_up("preset")

    await front.ask(SORT, poor.run, node="qa")
    await front.ask(SORT, Request().run, node="qa")

    assert asker.asked == 2


async def test_an_answer_sampled_too_freely_is_asked_for_each_time():
    asker = Scripted()
    front = cached(asker, llm=Llm(temperature=0.8), exact=Exact(enabled=True, max_temperature=0.5))

    for _ in range(2):
        await front.ask(SORT, Request().run, node="qa")

    assert asker.asked == 2


async def test_whatever_changes_the_answer_changes_the_key():
    asker = Scripted()
    front = cached(asker)
    offer = Offer(({"type": "function", "function": {"name": "f"}},))

    await front.ask(SORT, Request().run, node="qa")
    await front.ask(SORT, Request().run, node="qa", tier="strong")
    await front.ask(SORT, Request().run, node="qa", offer=offer)
    await front.ask(SORT, Request().run, node="qa", offer=Offer(offer.tools, "none"))
    await front.ask([{"role": "system", "content": "s"}, *SORT], Request().run, node="qa")

    assert asker.asked == 5


async def test_the_order_of_a_messages_keys_changes_nothing():
    asker = Scripted()
    front = cached(asker)

    await front.ask([{"role": "user", "content": "x"}], Request().run, node="qa")
    await front.ask([{"content": "x", "role": "user"}], Request().run, node="qa")

    assert asker.asked == 1


async def test_callers_at_the_same_time_share_one_call():
    asker = Scripted()
    asker.gate = asyncio.Event()
    front = cached(asker)
    requests = [Request() for _ in range(10)]
    asyncio.get_running_loop().call_later(0.05, asker.gate.set)

    said = await together(*(front.ask(SORT, each.run, node="qa") for each in requests))

    assert (asker.asked, len({each.text for each in said})) == (1, 1)
    assert sum(each.run.steps for each in requests) == 1
    assert front.counts()["exact"].shared == 9


async def test_a_caller_that_goes_away_leaves_its_call_to_another():
    asker = Scripted()
    asker.gate = asyncio.Event()
    front = cached(asker)
    first = asyncio.create_task(front.ask(SORT, Request().run, node="qa"))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(front.ask(SORT, Request().run, node="qa")) for _ in range(3)]
    await asyncio.sleep(0.01)

    first.cancel()
    await asyncio.sleep(0.01)
    asker.gate.set()
    said = [await other for other in others]

    assert [each.text for each in said] == ["on How do I sort a list in Python?"] * 3
    assert asker.asked == 2


async def test_a_waiter_that_goes_away_harms_nobody():
    asker = Scripted()
    asker.gate = asyncio.Event()
    front = cached(asker)
    first = asyncio.create_task(front.ask(SORT, Request().run, node="qa"))
    await asyncio.sleep(0.01)
    other = asyncio.create_task(front.ask(SORT, Request().run, node="qa"))
    await asyncio.sleep(0.01)

    other.cancel()
    await asyncio.sleep(0.01)
    asker.gate.set()

    assert (await first).text
    assert asker.asked == 1


async def test_another_callers_failure_is_not_shared():
    outcomes = iter([LlmError("upstream_5xx", "down"), reply("mine"), reply("mine")])
    asker = Scripted(lambda _: next(outcomes))
    asker.gate = asyncio.Event()
    front = cached(asker)
    tasks = [asyncio.create_task(front.ask(SORT, Request().run, node="qa")) for _ in range(3)]
    await asyncio.sleep(0.01)

    asker.gate.set()
    done = await asyncio.wait(tasks)

    failed = [task for task in done[0] if task.exception()]
    assert (len(failed), asker.asked) == (1, 3)


async def test_a_waiter_keeps_its_own_deadline():
    asker = Scripted()
    asker.gate = asyncio.Event()
    front = cached(asker)
    first = asyncio.create_task(front.ask(SORT, Request().run, node="qa"))
    await asyncio.sleep(0.01)

    with pytest.raises(DeadlineError):
        await front.ask(SORT, Request(left_s=0.05).run, node="qa")

    asker.gate.set()
    await first


async def test_a_broken_store_breaks_no_request():
    asker = Scripted()
    store = GuardedStore(RedisStore("redis://127.0.0.1:9/0"))
    front = cached(asker, store=store)

    for _ in range(2):
        said = await front.ask(SORT, Request().run, node="qa")

    assert (said.text, asker.asked) == ("on How do I sort a list in Python?", 2)
    assert store.errors >= 1
    await store.close()


async def test_a_question_that_means_the_same_is_not_asked_again():
    asker = Scripted()
    front = cached(asker, semantic=by_meaning())
    await front.ask(SORT, Request().run, node="qa")
    request = Request()

    said = await front.ask(user("How do I sort lists in Python?"), request.run, node="qa")

    assert (said.text, asker.asked) == ("on How do I sort a list in Python?", 1)
    assert request.spans[0]["cache"] == "semantic"
    assert request.spans[0]["cosine"] >= 0.85
    assert (said.usage, request.run.steps) == (Usage(0, 0, 0.0), 0)


async def test_the_same_question_after_other_words_is_another_question():
    asker = Scripted()
    front = cached(asker, semantic=by_meaning())
    before = [user("I use Rust."), user("I use Ruby.")]

    for earlier in before:
        await front.ask([*earlier, *user("How do I sort?")], Request().run, node="qa")

    assert asker.asked == 2


async def test_dropping_a_variant_forgets_both_of_its_caches():
    asker = Scripted()
    front = cached(asker, semantic=by_meaning())
    await front.ask(SORT, Request().run, node="qa")

    await front.drop()
    await front.ask(SORT, Request().run, node="qa")

    assert asker.asked == 2


def test_the_semantic_cache_needs_the_exact_one():
    with pytest.raises(ValueError, match="stands behind the exact one"):
        Caching(semantic={"enabled": True})
