import asyncio

import pytest

from engine.config.budget import Budget
from engine.errors import DeadlineError
from engine.workflow.failure import BudgetError, CircuitError, LlmError
from engine.workflow.parts import Offer
from engine.workflow.reply import ToolCall, Usage
from tests.engine.workflow.model.conftest import HELLO
from tests.engine.workflow.model.server import (
    CUT,
    ENDED,
    HANG,
    STREAM,
    USAGE,
    event,
    piece,
    refusal,
    streamed,
    whole,
)

DOWN = refusal(503)
CALLS = [
    {"index": 0, "id": "a", "function": {"name": "add", "arguments": '{"x"'}},
    {"index": 1, "id": "b", "function": {"name": "sub", "arguments": "{"}},
]
MORE_OF_CALLS = [
    {"index": 1, "function": {"arguments": "}"}},
    {"index": 0, "function": {"arguments": ": 1}"}},
]


async def test_a_turn_is_counted_charged_and_written_down(place):
    async with place(whole("hi")) as here:
        reply = await here.ask()

    [span] = here.spans
    assert (reply.text, reply.model, reply.usage) == ("hi", "a-model", Usage(10, 5, 20e-6))
    assert (here.run.steps, here.run.tokens, here.run.cost_usd) == (1, 15, 20e-6)
    assert span | {"node": "qa_agent", "kind": "llm", "model": "usual", "attempt": 1} == span
    assert span | {"input_tokens": 10, "output_tokens": 5, "cost_usd": 20e-6} == span
    assert span["status"] == "ok"
    assert "action" not in span
    assert "stream" not in here.server.requests[0]


async def test_the_settings_and_tools_travel_in_the_request(place):
    tools = [{"type": "function", "function": {"name": "add", "parameters": {}}}]
    async with place(whole(), llm={"temperature": 0.7, "max_tokens": 9}) as here:
        await here.ask(offer=Offer(tools, "none"))

    assert here.server.requests == [
        {
            "model": "usual",
            "messages": HELLO,
            "temperature": 0.7,
            "top_p": 1.0,
            "max_tokens": 9,
            "tools": tools,
            "tool_choice": "none",
        }
    ]


async def test_a_streamed_answer_arrives_in_pieces_and_whole(place):
    async with place(streamed("a ", "b")) as here:
        reply = await here.listen()

    assert here.heard == ["a ", "b"]
    assert (reply.text, reply.usage) == ("a b", Usage(10, 5, 20e-6))
    assert here.run.tokens == 15
    assert 0.0 < here.spans[0]["first_text_s"] <= here.spans[0]["duration_s"]
    assert here.server.requests[0]["stream_options"] == {"include_usage": True}


async def test_the_fragments_of_tool_calls_are_put_together(place):
    pieces = [STREAM, piece(calls=CALLS), piece(calls=MORE_OF_CALLS), *ENDED]
    async with place(pieces) as here:
        reply = await here.listen()

    assert reply.tool_calls == (ToolCall("a", "add", '{"x": 1}'), ToolCall("b", "sub", "{}"))
    assert here.heard == []


async def test_a_passing_failure_is_tried_again_as_one_step(place):
    async with place(DOWN, [CUT], whole("hi")) as here:
        reply = await here.ask()

    assert reply.text == "hi"
    assert here.run.steps == 1
    assert [span["attempt"] for span in here.spans] == [1, 2, 3]
    assert [span["error"] for span in here.spans] == ["upstream_5xx", "upstream_unreachable", ""]


async def test_what_retrying_cannot_mend_is_asked_once(place):
    async with place(refusal(400)) as here:
        with pytest.raises(LlmError, match="usual") as caught:
            await here.ask()

    assert (caught.value.code, len(here.server.requests)) == ("upstream_rejected", 1)


@pytest.mark.parametrize("end", [[CUT], [b"0\r\n\r\n"], [event({"error": {"message": "x"}})]])
async def test_a_stream_is_never_retried_once_text_was_handed_on(place, end):
    faster = {"models": ["fast"], "preset": "{task_id}"}
    async with place(streamed("a", then=end), fallback=faster) as here:
        with pytest.raises(LlmError) as caught:
            await here.listen()

    assert caught.value.action == "terminate"
    assert here.heard == ["a"]
    assert len(here.server.requests) == 1


@pytest.mark.parametrize("end", [[CUT], [b"0\r\n\r\n"]])
async def test_a_stream_that_brought_no_text_is_retried(place, end):
    async with place([STREAM, *end], streamed("b")) as here:
        reply = await here.listen()

    assert (reply.text, here.heard) == ("b", ["b"])
    assert here.spans[0]["error"] == "upstream_cut"


async def test_an_idle_stream_is_given_up_and_its_connection_closed(place):
    async with place(streamed("a", then=[HANG]), idle_timeout_s=0.05) as here:
        with pytest.raises(LlmError) as caught:
            await here.listen()
        await asyncio.wait_for(here.server.hung_up.wait(), 1.0)

    assert caught.value.code == "upstream_stalled"


async def test_a_stream_may_last_longer_than_it_may_be_idle(place):
    slow = [STREAM, *(step for text in "abcd" for step in (piece(text), 0.1)), *ENDED]
    async with place(slow, idle_timeout_s=0.3) as here:
        reply = await here.listen()

    assert reply.text == "abcd"


@pytest.mark.parametrize("answer", [[HANG], [STREAM, HANG]])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_cancelled_turn_closes_its_connection(place, answer, stream):
    async with place(answer) as here:
        asking = asyncio.create_task(here.listen() if stream else here.ask())
        await here.server.hanging.wait()
        asking.cancel()
        await asyncio.wait([asking])
        await asyncio.wait_for(here.server.hung_up.wait(), 1.0)

    assert asking.cancelled()
    assert here.spans[0]["error"] == "cancelled"


async def test_tokens_of_a_cut_stream_are_charged(place):
    cut = [STREAM, piece("a"), piece(usage=USAGE), CUT]
    async with place(cut) as here:
        with pytest.raises(LlmError):
            await here.listen()

    assert here.run.tokens == 15
    assert here.spans[0]["input_tokens"] == 10


async def test_tokens_of_a_withheld_answer_are_charged(place):
    choice = {"index": 0, "finish_reason": "content_filter", "message": {"role": "assistant"}}
    async with place(whole(choices=[choice])) as here:
        with pytest.raises(LlmError) as caught:
            await here.ask()

    assert (caught.value.code, here.run.tokens) == ("upstream_filtered", 15)


async def test_a_call_ends_at_its_own_limit_and_is_not_retried(place):
    async with place([HANG], llm={"timeout_s": 0.05}) as here:
        with pytest.raises(DeadlineError, match=r"usual took longer than 0\.05"):
            await here.ask()

    assert [span["status"] for span in here.spans] == ["timeout"]


async def test_a_faster_model_stands_in_for_one_that_is_too_slow(place):
    faster = {"models": ["fast"]}
    async with place([HANG], whole("hi"), llm={"timeout_s": 0.05}, fallback=faster) as here:
        reply = await here.ask()

    assert reply.text == "hi"
    assert [span["model"] for span in here.spans] == ["usual", "fast"]
    assert here.spans[1]["action"] == "faster_model"
    assert here.run.degraded == ["faster_model"]


async def test_nothing_stands_in_for_a_slow_stream_that_was_heard(place):
    slow = streamed("a", then=[HANG])
    async with place(slow, llm={"timeout_s": 0.1}, fallback={"models": ["fast"]}) as here:
        with pytest.raises(DeadlineError):
            await here.listen()

    assert (here.heard, len(here.server.requests)) == (["a"], 1)


async def test_a_call_over_its_own_limit_speaks_against_the_model(place):
    async with place([HANG], llm={"timeout_s": 0.05}, breaker={"failures": 1}) as here:
        with pytest.raises(DeadlineError):
            await here.ask()

    assert here.breakers.states() == {"model:usual": "open"}


async def test_a_call_cut_by_the_requests_end_does_not(place):
    async with place([HANG], deadline_s=0.05, breaker={"failures": 1}) as here:
        with pytest.raises(DeadlineError):
            await here.ask()

    assert here.breakers.states() == {"model:usual": "closed"}


async def test_after_the_requests_deadline_nothing_stands_in(place):
    everything = {"models": ["fast"], "preset": "{task_id}"}
    async with place([HANG], deadline_s=0.05, fallback=everything) as here:
        with pytest.raises(DeadlineError):
            await here.ask()

    assert len(here.server.requests) == 1


async def test_the_whole_chain_ends_in_a_preset_answer_with_the_task_id(place):
    fallback = {"models": ["fast", "faster"], "cached": True, "preset": "later: {task_id}"}
    async with place(refusal(400), fallback=fallback) as here:
        reply = await here.listen()

    assert (reply.text, here.heard) == ("later: r-1", ["later: r-1"])
    assert [request["model"] for request in here.server.requests] == ["usual", "fast", "faster"]
    assert [span.get("action") for span in here.spans] == [
        None,
        "faster_model",
        "faster_model",
        "preset",
    ]
    assert here.run.degraded == ["faster_model", "preset"]
    assert here.run.steps == 1


async def test_a_remembered_answer_goes_before_the_preset_one_and_costs_nothing(place):
    async with place(whole("before"), refusal(400)) as here:
        before = await here.ask()
    fallback = {"cached": True, "preset": "{task_id}"}
    async with place(refusal(400), fallback=fallback, remembered=lambda _: before) as here:
        reply = await here.ask()

    assert (reply.text, reply.usage) == ("before", Usage(0, 0, 0.0))
    assert (here.run.degraded, here.run.tokens) == (["cached"], 0)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refusal(401), "upstream_denied"),
        (refusal(400, "context_length_exceeded"), "context_too_long"),
    ],
)
async def test_a_refused_key_and_a_long_context_never_become_a_preset(place, answer, code):
    async with place(answer, fallback={"preset": "{task_id}"}) as here:
        with pytest.raises(LlmError) as caught:
            await here.ask()

    assert (caught.value.code, here.run.degraded) == (code, [])


async def test_a_request_that_has_to_save_is_answered_by_the_cheap_model(place):
    budget = Budget(tokens=15)
    async with place(whole(), budget=budget, tiers={"cheap": "fast"}) as here:
        here.run.charge(Usage(8, 5, None))
        await here.ask()

    assert here.server.requests[0]["model"] == "fast"
    assert here.run.degraded == ["faster_model"]


async def test_a_step_that_asks_for_a_tier_gives_nothing_up(place):
    async with place(whole(), tiers={"cheap": "fast", "strong": "slow"}) as here:
        await here.ask(tier="cheap")
        await here.ask(tier="strong")

    assert [request["model"] for request in here.server.requests] == ["fast", "slow"]
    assert here.run.degraded == []


@pytest.mark.parametrize("fallback", [{}, {"models": ["fast"], "preset": "{task_id}"}])
async def test_a_used_up_budget_asks_no_model(place, fallback):
    async with place(whole(), budget=Budget(steps=1), fallback=fallback) as here:
        here.run.step()
        if fallback:
            assert (await here.ask()).text == "r-1"
        else:
            with pytest.raises(BudgetError):
                await here.ask()

    assert here.server.requests == []


async def test_an_open_breaker_refuses_without_a_call(place):
    async with place(DOWN, breaker={"failures": 2}) as here:
        with pytest.raises(LlmError, match="503"):
            await here.ask()
        with pytest.raises(CircuitError):
            await here.ask()

    assert len(here.server.requests) == 2
    assert here.breakers.states() == {"model:usual": "open"}
    assert here.spans[-1]["error"] == "circuit_open"


async def test_a_wait_beyond_the_deadline_is_not_begun(place):
    busy = refusal(429, headers={"retry-after": "3600"})
    async with place(busy) as here:
        with pytest.raises(LlmError) as caught:
            await here.ask()

    assert (caught.value.code, caught.value.retry_after_s) == ("upstream_throttled", 3600.0)
    assert len(here.server.requests) == 1
