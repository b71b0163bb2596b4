import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.agents import Agent as Settings
from engine.config.model import Breaker, Resilience, Retry
from engine.config.workflow import Llm as LlmSettings
from engine.errors import DeadlineError
from engine.workflow.agents.calling import Calling
from engine.workflow.agents.turns import AGAIN
from engine.workflow.failure import BudgetError, LlmError
from engine.workflow.model.breaker import Breakers
from engine.workflow.model.client import Client, Kept
from engine.workflow.model.prices import PriceList
from tests.engine.workflow.agents.scripts import ASKED, FAILED, Belt, Script, a_run, said
from tests.engine.workflow.endpoint import Endpoint, completion

LOOK = said("", ("search", {"query": "tides"}))


async def test_an_answer_without_calls_ends_the_run():
    script = Script(said("At noon."))

    outcome = await Calling(script, Belt()).run(ASKED, a_run())

    assert (outcome.text, outcome.steps, outcome.status) == ("At noon.", 1, "answered")
    assert outcome.messages == ({"role": "assistant", "content": "At noon."},)


async def test_several_calls_of_one_turn_go_to_the_belt_together():
    belt = Belt(tides="high", moon="full")
    calls = [("search", {"query": "tides"}), ("clock", {}), ("search", {"query": "moon"})]
    script = Script(said("", *calls), said("At noon."))

    outcome = await Calling(script, belt).run(ASKED, a_run())

    assert [name for name, _ in belt.called] == ["search", "clock", "search"]
    answers = [message["content"] for message in outcome.messages if message["role"] == "tool"]
    assert answers == ["high", "noon", "full"]


async def test_bad_arguments_come_back_to_the_model_as_an_error_of_the_tool():
    script = Script(said("", ("search", "{not json")), said("At noon."))

    outcome = await Calling(script, Belt()).run(ASKED, a_run())

    assert outcome.status == "answered"
    assert script.asked[1]["messages"][-1]["content"].startswith("error:")


async def test_a_call_that_was_made_before_is_answered_from_its_result():
    belt = Belt(tides="high")
    same = said("", ("search", ' {"query":  "tides"}'))
    script = Script(LOOK, same, said("At noon."))

    outcome = await Calling(script, belt).run(ASKED, a_run())

    assert len(belt.called) == 1
    assert outcome.messages[3]["content"] == AGAIN + "high"


async def test_a_call_that_stands_twice_in_a_turn_is_made_once():
    belt = Belt(tides="high")
    twice = said("", ("search", {"query": "tides"}), ("search", {"query": "tides"}))
    script = Script(twice, said("At noon."))

    outcome = await Calling(script, belt).run(ASKED, a_run())

    assert len(belt.called) == 1
    contents = [message["content"] for message in outcome.messages[1:3]]
    assert contents == ["high", AGAIN + "high"]


async def test_a_call_that_failed_may_be_made_again():
    belt = Belt()
    script = Script(LOOK, LOOK, said("I don't know."))

    await Calling(script, belt).run(ASKED, a_run())

    assert len(belt.called) == 2


async def test_ids_that_a_model_gives_to_several_calls_are_told_apart():
    reply = said("", ("search", {"query": "tides"}), ("clock", {}))
    nameless = Script(
        type(reply)("", tuple(type(c)("", c.name, c.arguments) for c in reply.tool_calls), *used()),
        said("At noon."),
    )

    outcome = await Calling(nameless, Belt(tides="high")).run(ASKED, a_run())

    wanted = [call["id"] for call in outcome.messages[0]["tool_calls"]]
    assert len(set(wanted)) == 2
    assert [message["tool_call_id"] for message in outcome.messages[1:3]] == wanted


def used():
    return said().usage, said().model


@given(st.integers(1, 12))
def test_the_last_turn_closes_the_tools_so_that_the_model_answers(most):
    async def turn(_):
        shut = script.asked[-1]["offer"].choice == "none"
        return said("At noon.") if shut else said("", ("search", {"query": "tides"}))

    script = Script(turn)
    settings = Settings(max_steps=most)
    outcome = asyncio.run(Calling(script, Belt(), settings).run(ASKED, a_run()))

    assert (outcome.steps, outcome.status, outcome.reason) == (most, "degraded", "max_steps")
    choices = [ask["offer"].choice for ask in script.asked]
    assert choices == ["auto"] * (most - 1) + ["none"]


async def test_a_request_that_has_to_save_calls_no_more_tools():
    run = a_run(steps=5, degrade_at=0.4)
    script = Script(LOOK, said("At noon."))

    outcome = await Calling(script, Belt(tides="high")).run(ASKED, run)

    assert script.asked[1]["offer"].choice == "none"
    assert (outcome.status, outcome.reason) == ("degraded", "no_tools")
    assert run.degraded == ["no_tools"]


async def test_an_empty_turn_is_asked_for_again():
    outcome = await Calling(Script(said(" "), said("At noon.")), Belt()).run(ASKED, a_run())

    assert (outcome.text, outcome.steps) == ("At noon.", 2)


async def test_nothing_but_empty_turns_is_a_failure():
    with pytest.raises(LlmError) as failure:
        await Calling(Script(said("")), Belt(), Settings(max_steps=3)).run(ASKED, a_run())

    assert failure.value.code == "upstream_malformed"


async def test_a_used_up_budget_ends_the_run():
    with pytest.raises(BudgetError):
        await Calling(Script(LOOK), Belt(tides="high")).run(ASKED, a_run(steps=1, degrade_at=1.0))


async def slow(_):
    await asyncio.sleep(5.0)
    return said("late")


@pytest.mark.parametrize(("limit_s", "deadline_s"), [(0.02, 5.0), (5.0, 0.02)])
async def test_a_turn_is_cut_at_its_limit_and_at_the_deadline(limit_s, deadline_s):
    settings = Settings(iteration_timeout_s=limit_s)
    run = a_run(deadline_s=deadline_s)
    started = time.monotonic()

    with pytest.raises(DeadlineError):
        await Calling(Script(slow), Belt(), settings).run(ASKED, run)

    assert time.monotonic() - started < 2.0


async def test_a_failed_run_leaves_its_span():
    spans = []

    with pytest.raises(LlmError):
        await Calling(Script(FAILED), Belt()).run(ASKED, a_run(spans=spans))

    assert (spans[0]["node"], spans[0]["kind"]) == ("calling", "agent")
    assert (spans[0]["status"], spans[0]["error"]) == ("error", "upstream_5xx")


def client(endpoint):
    """The real client, without retries."""
    kept = Kept(Breakers(Breaker()), PriceList())
    once = Resilience(retry=Retry(attempts=1))
    return Client(endpoint.client(), LlmSettings(), once, kept)


async def test_the_protocol_carries_the_calls_and_their_answers():
    wants = completion(None, [("search", '{"query": "tides"}'), ("clock", "{}")])
    endpoint = Endpoint(wants, completion("At noon."))
    run = a_run()

    outcome = await Calling(client(endpoint), Belt(tides="high")).run(ASKED, run)

    assert outcome.text == "At noon."
    first, second = endpoint.requests
    assert [tool["function"]["name"] for tool in first["tools"]] == ["search", "clock"]
    assert second["messages"] == [*ASKED, *outcome.messages[:-1]]
    assert (run.tokens, len(run.usages)) == (30, 2)
