import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.agents import Agent as Settings
from engine.config.agents import Pattern
from engine.errors import DeadlineError
from engine.workflow.agents.draft_review import DraftReview
from engine.workflow.agents.pattern import build
from engine.workflow.agents.shortcut import Shortcut
from engine.workflow.agents.single import Single
from engine.workflow.agents.summary import _joined, _parted
from engine.workflow.failure import BudgetError, LlmError
from tests.engine.workflow.agents.scripts import ASKED, FAILED, Belt, Script, a_run, said

YES = said('{"approved": true}')
FULL = said("The full answer.")


def drafted(*reviews):
    script = Script(single_turn=[said("A draft.")], reviewer=reviews)
    return script, DraftReview(script, Single(script, tier="cheap"))


async def test_an_approved_draft_leaves_as_it_is():
    script, agent = drafted(YES)

    outcome = await agent.run(ASKED, a_run())

    assert (outcome.text, outcome.status, outcome.steps) == ("A draft.", "answered", 2)
    assert [ask["tier"] for ask in script.asked] == ["cheap", "usual"]


async def test_a_corrected_draft_leaves_corrected():
    _, agent = drafted(said('{"approved": false, "answer": "Better."}'))
    pieces = []

    outcome = await agent.run(ASKED, a_run(), on_text=pieces.append)

    assert (outcome.text, outcome.status) == ("Better.", "answered")
    assert outcome.messages[-1]["content"] == "Better."
    assert pieces == ["Better."]


@pytest.mark.parametrize(
    ("review", "reason"),
    [
        (said("hm"), "unreviewed"),
        (FAILED, "unreviewed"),
        (DeadlineError("late"), "unreviewed"),
        (said('{"approved": false}'), "not_approved"),
    ],
)
async def test_a_draft_without_approval_leaves_marked(review, reason):
    _, agent = drafted(review)

    outcome = await agent.run(ASKED, a_run())

    assert (outcome.text, outcome.status, outcome.reason) == ("A draft.", "degraded", reason)


def direct(turn, confidence=0.8):
    script = Script(direct=[turn], single_turn=[FULL])
    return script, Shortcut(script, Single(script), confidence)


def sure(confidence):
    return said(json.dumps({"answer": "Noon.", "confidence": confidence}))


async def test_a_sure_answer_of_the_cheap_model_is_taken():
    script, agent = direct(sure(0.8))

    outcome = await agent.run(ASKED, a_run())

    assert (outcome.text, outcome.reason) == ("Noon.", "shortcut")
    assert [ask["tier"] for ask in script.asked] == ["cheap"]


@pytest.mark.parametrize("turn", [sure(0.79), said("Noon."), FAILED, DeadlineError("late")])
async def test_everything_else_goes_to_the_full_agent(turn):
    script, agent = direct(turn)
    pieces = []

    outcome = await agent.run(ASKED, a_run(), on_text=pieces.append)

    assert (outcome.text, outcome.status) == ("The full answer.", "answered")
    assert pieces == ["The full answer."]
    assert script.of("single_turn")[0]["messages"] == ASKED


async def test_a_used_up_budget_is_not_spent_on_the_full_agent():
    _, agent = direct(BudgetError("budget_steps", "used up"))

    with pytest.raises(BudgetError):
        await agent.run(ASKED, a_run())


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
async def test_a_higher_threshold_never_takes_more_shortcuts(low, high):
    low, high = sorted((low, high))

    taken = [(await direct(sure(0.5), c)[1].run(ASKED, a_run())).reason for c in (low, high)]

    assert taken != ["", "shortcut"]


LONG = "A very long sentence about the tide. " * 40
CODE = "```python\nprint('[[1]]')\n```"


def short(answer, summary, **settings):
    script = Script(single_turn=[said(answer)], summarize=[summary])
    wanted = Settings(pattern="single", summary=True, **{"summary_chars": 300} | settings)
    return script, build(wanted, script)


async def test_a_long_answer_is_shortened_around_its_code():
    script, agent = short(f"{LONG}\n{CODE}\n{LONG}", said("Short. [[1]] End."))

    outcome = await agent.run(ASKED, a_run())

    assert outcome.text == f"Short.\n\n{CODE}\n\nEnd."
    asked = script.of("summarize")[0]
    assert "print" not in asked["messages"][-1]["content"]
    assert asked["tier"] == "cheap"


async def test_code_that_the_summary_lost_is_put_at_its_end():
    _, agent = short(f"{LONG}\n{CODE}", said("Short."))

    outcome = await agent.run(ASKED, a_run())

    assert outcome.text == f"Short.\n\n{CODE}"


@pytest.mark.parametrize("summary", [FAILED, DeadlineError("late"), said(""), said(LONG * 2)])
async def test_a_summary_that_fails_leaves_the_answer(summary):
    _, agent = short(LONG, summary)

    outcome = await agent.run(ASKED, a_run())

    assert (outcome.text, outcome.status) == (LONG, "answered")


async def test_a_short_answer_is_left_alone():
    script, agent = short("At noon.", said("Never."))

    outcome = await agent.run(ASKED, a_run())

    assert outcome.text == "At noon."
    assert script.of("summarize") == []


LINES = st.sampled_from(["words", "```", "```python", "~~~", "````md", "[[9]]", "", "  ```"])


@given(st.lists(LINES, max_size=12), st.lists(st.integers(1, 9), max_size=9))
def test_no_summary_loses_or_changes_a_block_of_code(lines, marks):
    _, blocks = _parted("\n".join(lines))

    joined = _joined(" ".join(f"word [[{mark}]]" for mark in marks), blocks)

    for block in blocks:
        assert joined.count(block) >= blocks.count(block)


@pytest.mark.parametrize("pattern", Pattern.__args__)
@pytest.mark.parametrize("belt", [None, Belt()])
async def test_every_pattern_answers_by_the_same_call(pattern, belt):
    script = Script(
        planner=[said("one task")],
        reviewer=[YES],
        react_turn=[said("Final Answer: At noon.")],
        direct=[sure(0.0)],
        single_turn=[said("At noon.")],
        calling_turn=[said("At noon.")],
    )
    spans, pieces = [], []

    agent = build(Settings(pattern=pattern), script, belt)
    outcome = await agent.run(ASKED, a_run(spans=spans), on_text=pieces.append)

    assert (outcome.text, outcome.status) == ("At noon.", "answered")
    assert "".join(pieces) == "At noon."
    assert spans[0]["kind"] == "agent"


async def test_an_operators_prompt_stands_in_for_ours():
    script = Script(said("Final Answer: At noon."))

    agent = build(Settings(pattern="react"), script, Belt(), {"react": "Think {hard}."})
    await agent.run([{"role": "system", "content": "Be brief."}, *ASKED], a_run())

    told = script.asked[0]["messages"]
    assert told[0]["content"].startswith("Be brief.\n\nThink {hard}.\n- search(")
    assert [message["role"] for message in told] == ["system", "user"]


async def test_an_empty_single_turn_is_a_failure():
    with pytest.raises(LlmError):
        await build(Settings(pattern="single"), Script(said(" "))).run(ASKED, a_run())
