import asyncio
import json

import pytest

from engine.config.agents import Agent as Settings
from engine.errors import DeadlineError
from engine.workflow.agents.calling import Calling
from engine.workflow.agents.single import Single
from engine.workflow.agents.team import Team
from engine.workflow.failure import BudgetError, PersonError
from tests.engine.workflow.agents.scripts import ASKED, FAILED, Belt, Script, a_run, said
from tests.engine.workflow.agents.test_plan import text_of

YES = said('{"approved": true}')
TWO = said(text_of(("a", []), ("b", [])))
ONE = said(text_of(("a", [])))


def no(remarks="add the date", redo=()):
    return said(json.dumps({"approved": False, "remarks": remarks, "redo": list(redo)}))


def team(script, settings=None, **more):
    return Team(script, Single(script), settings, **more)


def results(ask):
    return ask["messages"][-1]["content"]


async def test_a_plan_is_executed_composed_and_reviewed():
    script = Script(
        planner=[TWO],
        single_turn=[said("high"), said("noon")],
        coordinator=[said("High at noon.")],
        reviewer=[YES],
    )

    outcome = await team(script).run(ASKED, a_run())

    assert (outcome.text, outcome.status, outcome.steps) == ("High at noon.", "answered", 5)
    assert outcome.messages == ({"role": "assistant", "content": "High at noon."},)
    composed = results(script.of("coordinator")[0])
    assert "high" in composed
    assert "noon" in composed


async def test_independent_tasks_run_at_once_and_dependent_ones_after():
    arrived, both = [], asyncio.Event()

    async def together(messages):
        arrived.append(messages[-1]["content"])
        if len(arrived) == 2:
            both.set()
        await asyncio.wait_for(both.wait(), 2.0)
        return said(f"result {len(arrived)}")

    plan = said(text_of(("c", ["a", "b"]), ("a", []), ("b", [])))
    script = Script(planner=[plan], single_turn=[together], coordinator=[said("x")], reviewer=[YES])

    await team(script).run(ASKED, a_run())

    assert "Result of" not in arrived[0] + arrived[1]
    assert "Result of a:" in arrived[2]
    assert "Result of b:" in arrived[2]


async def test_no_task_waits_for_one_that_it_does_not_need():
    c_done = asyncio.Event()

    async def at_work(messages):
        task = messages[-1]["content"].partition("Your task: ")[2][0]
        if task == "a":
            await asyncio.wait_for(c_done.wait(), 2.0)
        if task == "c":
            c_done.set()
        return said(task)

    plan = said(text_of(("a", []), ("b", []), ("c", ["b"])))
    script = Script(planner=[plan], single_turn=[at_work], coordinator=[said("x")], reviewer=[YES])

    outcome = await team(script).run(ASKED, a_run())

    assert outcome.status == "answered"


async def test_executors_work_in_conversations_of_their_own():
    script = Script(
        planner=[TWO],
        calling_turn=[said("", ("search", {"query": "tides"})), said("x")],
        coordinator=[said("done")],
        reviewer=[YES],
    )

    await Team(script, Calling(script, Belt(tides="high"))).run(ASKED, a_run())

    histories = [ask["messages"] for ask in script.of("calling_turn")]
    tasks = [sum("Your task" in str(message) for message in history) for history in histories]
    assert set(tasks) == {1}


async def test_a_plan_that_cannot_be_read_is_one_task():
    script = Script(planner=[said("let me see")], single_turn=[said("noon")], reviewer=[YES])

    outcome = await team(script).run(ASKED, a_run())

    assert outcome.text == "noon"
    assert script.of("coordinator") == []


@pytest.mark.parametrize("failure", [FAILED, DeadlineError("the language model took longer")])
async def test_a_failed_executor_is_told_why_and_tried_once_more(failure):
    script = Script(planner=[ONE], single_turn=[failure, said("noon")], reviewer=[YES])

    outcome = await team(script).run(ASKED, a_run())

    assert (outcome.text, outcome.status) == ("noon", "answered")
    assert str(failure) in results(script.of("single_turn")[1])


async def test_a_person_does_what_an_executor_failed_at_twice():
    reasons = []

    async def person(reason, run):
        reasons.append(reason)
        return "it is noon"

    script = Script(planner=[ONE], single_turn=[FAILED], reviewer=[YES])

    outcome = await team(script, hand_over=person).run(ASKED, a_run())

    assert (outcome.status, outcome.reason) == ("handed_over", "a")
    assert "it is noon" in outcome.text
    assert len(script.of("single_turn")) == 2
    assert "'a' failed twice" in reasons[0]


async def test_where_nobody_is_there_the_request_fails_by_name():
    script = Script(planner=[TWO], single_turn=[FAILED])

    with pytest.raises(PersonError) as failure:
        await team(script).run(ASKED, a_run())

    assert failure.value.code == "person_absent"


async def test_a_used_up_budget_is_no_failure_to_hand_over():
    script = Script(planner=[TWO], single_turn=[said("x")])

    with pytest.raises(BudgetError):
        await team(script).run(ASKED, a_run(steps=2, degrade_at=1.0))


async def test_an_answer_is_sent_back_with_remarks_for_the_tasks_named():
    plan = said(text_of(("a", []), ("b", ["a"]), ("c", [])))
    script = Script(
        planner=[plan],
        single_turn=[said(str(n)) for n in range(9)],
        coordinator=[said("first"), said("second")],
        reviewer=[no("wrong year", ["a"]), YES],
    )

    outcome = await team(script).run(ASKED, a_run())

    assert (outcome.text, outcome.status) == ("second", "answered")
    briefs = [results(ask) for ask in script.of("single_turn")]
    assert len(briefs) == 5
    assert [brief for brief in briefs if "wrong year" in brief] == [briefs[3]]
    assert "wrong year" in results(script.of("coordinator")[1])


async def test_an_answer_that_is_never_approved_leaves_marked():
    script = Script(planner=[ONE], single_turn=[said("noon")], reviewer=[no()])

    outcome = await team(script, Settings(review_rounds=2)).run(ASKED, a_run())

    assert (outcome.status, outcome.reason) == ("degraded", "not_approved")
    assert len(script.of("reviewer")) == 2
    assert len(script.of("single_turn")) == 2


@pytest.mark.parametrize("turn", [said("hm"), said(""), FAILED, DeadlineError("late")])
async def test_an_answer_that_nobody_could_review_leaves_marked(turn):
    script = Script(planner=[ONE], single_turn=[said("noon")], reviewer=[turn])

    outcome = await team(script).run(ASKED, a_run())

    assert (outcome.text, outcome.status, outcome.reason) == ("noon", "degraded", "unreviewed")


async def test_a_team_without_review_asks_no_reviewer():
    script = Script(planner=[ONE], single_turn=[said("noon")])

    outcome = await team(script, Settings(review=False)).run(ASKED, a_run())

    assert outcome.status == "answered"
    assert script.of("reviewer") == []


async def test_the_verdict_stands_in_its_span():
    spans = []
    script = Script(planner=[ONE], single_turn=[said("noon")], reviewer=[no("date?"), YES])

    await team(script).run(ASKED, a_run(spans=spans))

    reviews = [span for span in spans if span["node"] == "review"]
    assert [(span["approved"], span["remarks"]) for span in reviews] == [
        (False, "date?"),
        (True, ""),
    ]
    assert spans[0]["node"] == "team"
    assert spans[0]["tasks"] == 1
