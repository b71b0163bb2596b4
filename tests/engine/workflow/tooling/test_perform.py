import asyncio
import threading

import pytest
from pydantic import BaseModel

from engine.config import tools as config
from engine.config.model import Breaker as BreakerSettings
from engine.errors import DeadlineError
from engine.workflow.failure import ToolError
from engine.workflow.model.breaker import Breakers
from engine.workflow.tooling.parts import Parts
from engine.workflow.tooling.perform import MAX_CHARS
from engine.workflow.tooling.tool import tool
from tests.engine.workflow.tooling.belts import (
    Diary,
    Failing,
    a_belt,
    a_run,
    a_tool,
    call,
    diarist,
    texts,
)


class Kept(dict):
    async def get(self, key):
        return super().get(key)

    async def put(self, key, text, ttl_s):
        self[key] = text


async def test_a_read_is_tried_again_after_a_failure_that_may_pass():
    act, spans = Failing(ConnectionResetError(), ToolError("x", "y", action="retry")), []

    answers = await texts(a_belt(a_tool(act, "look", cost_usd=0.1)), call("look"), run=a_run(spans))

    assert answers == ["done"]
    assert (spans[0]["attempt"], spans[0]["kind"], spans[0]["status"]) == (3, "tool", "ok")


async def test_every_try_is_charged():
    run = a_run()

    await texts(a_belt(a_tool(Failing(OSError()), "look", cost_usd=0.1)), call("look"), run=run)

    assert run.cost_usd == pytest.approx(0.2)
    assert run.steps == 1


async def test_a_wait_that_the_request_has_no_time_for_is_not_begun():
    act = Failing(ToolError("tool_http", "busy", action="retry", retry_after_s=60.0))

    async with asyncio.timeout(2):
        answers = await texts(a_belt(a_tool(act, "look")), call("look"))

    assert (answers, act.calls) == (["error: busy"], 1)


async def test_an_effect_is_never_tried_again():
    act = Failing(ConnectionResetError())

    answers = await texts(a_belt(a_tool(act, "send", "write")), call("send"))

    assert answers == ["error: send failed: ConnectionResetError; whether it was done is not known"]
    assert act.calls == 1


async def test_a_failure_that_stays_is_not_tried_again():
    act = Failing(KeyError("/etc/secret"))

    answers = await texts(a_belt(a_tool(act, "look")), call("look"))

    assert answers == ["error: look failed: KeyError"]
    assert act.calls == 1


async def test_a_slow_call_is_cut_short_and_the_others_are_answered():
    async def sleep(x):
        await asyncio.sleep(60)

    spans = []
    belt = a_belt(a_tool(sleep, "slow", timeout_s=0.05), diarist(Diary(), "look"))

    answers = await texts(belt, call("slow"), call("look", "b"), run=a_run(spans))

    assert answers == ["error: slow took longer than 0.05 s", "look()"]
    assert spans[0]["error"] == "tool_timeout"


async def test_when_the_request_is_out_of_time_so_are_its_calls():
    async def sleep(x):
        await asyncio.sleep(60)

    with pytest.raises(DeadlineError):
        await texts(a_belt(a_tool(sleep, "slow")), call("slow"), run=a_run(left_s=0.05))


async def test_a_remembered_read_is_not_made_again():
    diary, kept, spans = Diary(), Kept(), []
    belt = a_belt(diarist(diary, "look", cache_ttl_s=60, cost_usd=0.1), parts=Parts(memory=kept))
    run = a_run(spans)

    first = await texts(belt, call("look", x="1"), run=run)
    again = await texts(belt, call("look", x="1"), run=run)
    other = await texts(belt, call("look", x="2"), run=run)

    assert (first, again, other) == (["look(1)"], ["look(1)"], ["look(2)"])
    assert [span["cache_hit"] for span in spans] == [False, True, False]
    assert run.cost_usd == pytest.approx(0.2)


async def test_a_failure_is_not_remembered():
    kept = Kept()
    belt = a_belt(a_tool(Failing(KeyError()), "look", cache_ttl_s=60), parts=Parts(memory=kept))

    await texts(belt, call("look"))

    assert kept == {}


def breakers_and_guard():
    breakers = Breakers(BreakerSettings(failures=2))

    def guard(tool):
        return breakers.of("tool", tool).guard(lambda failure: isinstance(failure, ToolError))

    return breakers, guard


async def test_an_open_breaker_answers_without_a_call():
    breakers, guard = breakers_and_guard()
    act = Failing(*(KeyError() for _ in range(9)))
    belt = a_belt(a_tool(act, "look"), parts=Parts(guard=guard))

    await texts(belt, call("look"))
    await texts(belt, call("look"))
    answers = await texts(belt, call("look"))

    assert answers == ["error: tool:look: not called, since it kept failing"]
    assert act.calls == 2
    assert breakers.states() == {"tool:look": "open"}


async def test_a_callers_own_mistake_opens_no_breaker():
    breakers, guard = breakers_and_guard()
    act = Failing(*(ToolError("tool_arguments", "no such city") for _ in range(9)))
    belt = a_belt(a_tool(act, "look"), parts=Parts(guard=guard))

    for _ in range(3):
        await texts(belt, call("look"))

    assert breakers.states() == {"tool:look": "closed"}


async def test_a_tool_without_a_breaker_is_always_called():
    _, guard = breakers_and_guard()
    act = Failing(*(KeyError() for _ in range(9)))
    belt = a_belt(
        a_tool(act, "look"),
        parts=Parts(guard=guard),
        settings={"look": config.Tool(breaker=False)},
    )

    for _ in range(3):
        await texts(belt, call("look"))

    assert act.calls == 3


class Row(BaseModel):
    n: int


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ("plain", "plain"),
        ("half \ud800", "half ?"),
        (Row(n=1), '{"n":1}'),
        ([1, None], "[1,null]"),
        (None, "null"),
    ],
)
async def test_a_result_is_text(result, text):
    async def act(x):
        return result

    assert await texts(a_belt(a_tool(act, "look")), call("look")) == [text]


async def test_a_result_without_a_text_is_a_failure_in_words():
    async def act(x):
        return object()

    answers = await texts(a_belt(a_tool(act, "look")), call("look"))

    assert answers == ["error: the result, a object, has no JSON form"]


async def test_a_long_result_is_cut_with_a_mark():
    async def act(x):
        return "x" * (MAX_CHARS + 7)

    answers = await texts(a_belt(a_tool(act, "look")), call("look"))

    assert answers[0] == "x" * MAX_CHARS + "\n[7 more characters were cut]"


async def test_functions_that_block_run_in_threads_at_once():
    meeting = threading.Barrier(2, timeout=5)

    @tool(effect="read")
    def meet() -> str:
        """Waits until both are here."""
        meeting.wait()
        return "met"

    assert await texts(a_belt(meet), call("meet"), call("meet", "b")) == ["met", "met"]


async def test_functions_that_hang_keep_no_thread_from_the_others():
    released = threading.Event()

    @tool(effect="read", timeout_s=0.05)
    def hang() -> None:
        """Hangs."""
        released.wait(10)

    @tool(effect="read")
    def look() -> str:
        """Does it."""
        return "done"

    try:
        belt = a_belt(hang, look, max_parallel=24)
        async with asyncio.timeout(5):
            hung = await texts(
                belt, *(call("hang", f"c{n}") for n in range(24)), run=a_run(steps=99)
            )
            answers = await texts(belt, call("look"))
    finally:
        released.set()

    assert set(hung) == {"error: hang took longer than 0.05 s"}
    assert answers == ["done"]
