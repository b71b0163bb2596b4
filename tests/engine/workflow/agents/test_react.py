import pytest

from engine.config.agents import Agent as Settings
from engine.workflow.agents.react import React
from engine.workflow.failure import LlmError
from tests.engine.workflow.agents.scripts import ASKED, Belt, Script, a_run, said

LOOK = said('Thought: I look.\nAction: search\nAction Input: {"query": "tides"}')
DONE = said("Thought: I know.\nFinal Answer: At noon.")
MUSE = said("Thought: hm.")


async def test_an_action_is_observed_and_then_answered():
    script = Script(LOOK, DONE)
    belt = Belt(tides="high at noon")

    outcome = await React(script, belt).run(ASKED, a_run())

    assert (outcome.text, outcome.steps, outcome.status) == ("At noon.", 2, "answered")
    assert script.asked[1]["messages"][-1]["content"] == "Observation: high at noon"
    assert belt.called == [("search", '{"query": "tides"}')]


async def test_the_tools_are_told_in_words():
    script = Script(DONE)

    await React(script, Belt()).run(ASKED, a_run())

    told = script.asked[0]["messages"][0]
    assert told["role"] == "system"
    assert "- search(query: string)" in told["content"]
    assert script.asked[0]["offer"].tools == ()


async def test_an_unclear_turn_is_told_why_twice_and_then_taken_as_it_is():
    script = Script(MUSE)

    outcome = await React(script, Belt()).run(ASKED, a_run())

    assert (outcome.text, outcome.steps) == ("Thought: hm.", 3)
    assert (outcome.status, outcome.reason) == ("degraded", "unclear")
    assert "neither an Action" in script.asked[1]["messages"][-1]["content"]


async def test_a_clear_turn_between_them_forgives_unclear_ones():
    script = Script(MUSE, MUSE, LOOK, MUSE, MUSE, DONE)

    outcome = await React(script, Belt(tides="high")).run(ASKED, a_run())

    assert (outcome.text, outcome.status) == ("At noon.", "answered")


async def test_the_last_turn_has_to_answer():
    script = Script(LOOK, LOOK, DONE)

    outcome = await React(script, Belt(), Settings(max_steps=3)).run(ASKED, a_run())

    assert "no more tools" in script.asked[2]["messages"][-1]["content"]
    assert (outcome.text, outcome.reason) == ("At noon.", "max_steps")


async def test_an_unknown_tool_is_told_with_those_there_are():
    script = Script(said("Action: teleport\nAction Input: Brest"), DONE)

    await React(script, Belt()).run(ASKED, a_run())

    assert "search, clock" in script.asked[1]["messages"][-1]["content"]


async def test_only_the_answer_is_streamed():
    pieces = []

    await React(Script(LOOK, DONE), Belt(tides="high")).run(ASKED, a_run(), on_text=pieces.append)

    assert pieces == ["At noon."]


async def test_nothing_but_empty_turns_is_a_failure():
    with pytest.raises(LlmError):
        await React(Script(said("")), Belt()).run(ASKED, a_run())


async def test_every_turn_and_the_agent_leave_spans():
    spans = []

    await React(Script(LOOK, DONE), Belt(tides="high")).run(ASKED, a_run(spans=spans))

    assert [span["node"] for span in spans] == ["react", "react_turn", "react_turn"]
    assert (spans[0]["kind"], spans[0]["steps"], spans[0]["outcome"]) == ("agent", 2, "answered")


async def test_what_a_model_makes_up_never_enters_the_conversation():
    made_up = said("Action: search\nAction Input: tides\nObservation: low\nFinal Answer: Low.")
    script = Script(made_up, DONE)

    outcome = await React(script, Belt(tides="high")).run(ASKED, a_run())

    told = [message["content"] for message in outcome.messages]
    assert told == ["Action: search\nAction Input: tides", "Observation: high", "At noon."]


async def test_an_empty_turn_is_told_without_being_repeated():
    script = Script(said("Observation: low"), DONE)

    outcome = await React(script, Belt()).run(ASKED, a_run())

    assert [message["role"] for message in outcome.messages] == ["user", "assistant"]
