"""The journal keeps what is on its way, and lets what is long over go."""

import asyncio
import time
from urllib.parse import quote

import pytest

from engine.errors import NotFoundError
from engine.workflow.failure import StepError
from engine.workflow.plan.journal import Decided, Question
from engine.workflow.plan.runs import Runs
from tests.engine.workflow.plan.flows import a_run, call, graph, parts, runner

DAY_S = 86_400.0


@pytest.fixture
def journal(tmp_path):
    runs = Runs(f"sqlite:///{tmp_path}/journal.db")
    yield runs
    runs.close()


def begun(journal, *ids, workflow="w"):
    for id_ in ids:
        asyncio.run(journal.opened(id_, {"workflow": workflow}))


def asked(journal, id_, question="ask"):
    one = Question(f"{id_}:{question}", id_, question, "?", ("approve",), time.time())
    asyncio.run(journal.waits(id_, [one]))


def test_what_has_been_over_for_long_is_let_go(journal):
    begun(journal, "over", "failed", "running", "waiting")
    asyncio.run(journal.finished("over", "a", {"text": "x"}))
    asyncio.run(journal.closed("over", "done", output="x"))
    asyncio.run(journal.closed("failed", "failed", error="x"))
    asked(journal, "waiting")

    swept = journal.sweep(now=time.time() + 31 * DAY_S)

    assert swept == 2
    assert [id_ for id_ in ("over", "failed", "running", "waiting") if known(journal, id_)] == [
        "running",
        "waiting",
    ]


def test_what_was_over_lately_stays_known(journal):
    begun(journal, "over")
    asyncio.run(journal.closed("over", "done", output="x"))

    assert journal.sweep(now=time.time() + 29 * DAY_S) == 0
    assert known(journal, "over")


def known(journal, id_):
    try:
        journal.about(id_)
    except NotFoundError:
        return False
    return True


def test_a_question_is_shown_to_the_workflow_that_asks_it(journal):
    begun(journal, "r1", workflow="orders")
    begun(journal, "r2", workflow="reports")
    asked(journal, "r1")
    asked(journal, "r2")

    assert [one.id for one in journal.questions("orders")] == ["r1:ask"]
    assert [one.id for one in journal.questions("reports")] == ["r2:ask"]
    with pytest.raises(NotFoundError, match="there is no question 'r1:ask'"):
        journal.decide("r1:ask", Decided("approve", "fine"), workflow="reports")
    assert journal.decide("r1:ask", Decided("approve", "fine"), workflow="orders").run_id == "r1"


async def test_a_questions_id_is_a_part_of_a_path_as_it_stands(journal):
    def bad():
        raise StepError("down", "down")

    flow = graph({"bad": call("bad", on_error="person")}, "bad.result")

    waiting = await runner(flow, parts(bad=bad), journal).run({"question": ""}, a_run("r1"))

    assert all(quote(one.id, safe=":") == one.id for one in waiting.questions)


def test_what_nobody_works_on_any_more_is_found(journal):
    begun(journal, "held", "left", "asking", "decided", "over")
    for id_ in ("left", "asking", "decided"):
        asyncio.run(journal.released(id_))
    asked(journal, "asking")
    asked(journal, "decided")
    journal.decide("decided:ask", Decided("approve", "fine"))
    asyncio.run(journal.closed("over", "done"))

    assert journal.abandoned() == ["left", "decided"]


def test_what_was_cut_off_again_and_again_is_left_alone(journal):
    begun(journal, "poison")
    asyncio.run(journal.released("poison"))
    found = []

    for _ in range(5):
        found.append(journal.abandoned())
        asyncio.run(journal.opened("poison", {}))
        asyncio.run(journal.released("poison"))

    assert found == [["poison"]] * 3 + [[]] * 2
