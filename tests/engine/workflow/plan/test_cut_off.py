"""A request runs in one place at a time, and what was cut off is not done twice."""

import asyncio
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.errors import ConfigError
from engine.workflow.failure import StepError
from engine.workflow.plan.journal import Decided, Question, Undoing
from engine.workflow.plan.runs import Runs
from tests.engine.workflow.plan.flows import a_run, call, graph, parts, runner, with_tools


@pytest.fixture
def journal(tmp_path):
    runs = Runs(f"sqlite:///{tmp_path}/journal.db")
    yield runs
    runs.close()


async def test_two_callers_of_one_request_make_it_happen_once(tmp_path, journal):
    paid = []

    async def pay():
        await asyncio.sleep(0.05)
        paid.append("pay")
        return "receipt"

    flow = graph({"pay": call("pay", effect="write")}, "pay.result")
    other = Runs(f"sqlite:///{tmp_path}/journal.db")

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(runner(flow, parts(pay=pay), book).run({"question": ""}, a_run("r1")))
            for book in (journal, journal, other)
        ]
    other.close()

    assert [task.result().output for task in tasks] == ["receipt"] * 3
    assert paid == ["pay"]


async def test_what_was_cut_off_and_may_have_been_done_is_for_a_person_to_say(journal):
    paid = []
    flow = graph({"pay": {"type": "tool", "tool": "pay"}}, "pay.text")
    made = runner(flow, with_tools("pay", pay=lambda: paid.append("x") or "receipt-2"), journal)
    await cut_off(journal, "pay")

    waiting = await made.run({"question": ""}, a_run("r1"))
    before = list(paid)
    journal.decide(waiting.questions[0].id, Decided("approve", "the bank has nothing of it"))
    ended = await made.run({"question": ""}, a_run("r1"))

    assert before == []
    assert waiting.questions[0].ask == (
        "`pay` was cut off, and nobody knows whether it was done. "
        "Approve to do it again, answer in its place, or reject."
    )
    assert (ended.output, paid) == ("receipt-2", ["x"])


async def test_what_was_cut_off_is_done_again_where_the_tool_knows_it_by_its_key(journal):
    keys = []

    def pay(idempotency_key):
        keys.append(idempotency_key)
        return "receipt"

    flow = graph({"pay": {"type": "tool", "tool": "pay"}}, "pay.text")
    await cut_off(journal, "pay")

    ended = await runner(flow, with_tools("pay", pay=pay), journal).run(
        {"question": ""}, a_run("r1")
    )

    assert (ended.output, keys) == ("receipt", ["r1:pay"])


async def test_what_failed_before_it_is_tried_again_has_not_been_cut_off(journal):
    tries = []

    def pay():
        tries.append(1)
        if len(tries) == 1:
            raise ValueError("no network")
        return "receipt"

    step = {"type": "tool", "tool": "pay", "on_error": "person"}
    made = runner(graph({"pay": step}, "pay.text"), with_tools("pay", pay=pay), journal)

    waiting = await made.run({"question": ""}, a_run("r1"))
    journal.decide(waiting.questions[0].id, Decided("approve", "again"))
    ended = await made.run({"question": ""}, a_run("r1"))

    assert ended.output == "receipt"


async def cut_off(journal, path):
    """A request that began a step in a process that is no more."""
    await journal.opened("r1", {})
    await journal.began("r1", path)
    await journal.released("r1")


@pytest.mark.parametrize("value", [{1, 2}, math.nan, object()])
async def test_what_no_journal_can_keep_is_the_steps_failure(journal, value):
    flow = graph({"odd": call("odd"), "out": {"type": "text", "text": "x"}}, "out.text")

    with pytest.raises(StepError, match="`odd`") as seen:
        await runner(flow, parts(odd=lambda: value), journal).run({"question": ""}, a_run("r1"))
    assert seen.value.code == "not_json"


@pytest.mark.parametrize("value", [{1, 2}, math.nan, object()])
async def test_an_answer_that_is_no_json_is_a_failure(value):
    flow = graph({"odd": call("odd")}, "odd.result")

    with pytest.raises(StepError, match="the answer") as seen:
        await runner(flow, parts(odd=lambda: value)).run({"question": ""}, a_run("r1"))
    assert seen.value.code == "not_json"


async def test_half_a_character_in_what_failed_is_kept_as_a_question_mark(journal):
    def broken():
        raise StepError("down", "no file a\ud800")

    made = runner(graph({"x": call("broken")}, "x.result"), parts(broken=broken), journal)
    with pytest.raises(StepError, match="no file"):
        await made.run({"question": ""}, a_run("r1"))

    with pytest.raises(StepError, match=r"down: no file a\?"):
        await made.run({"question": ""}, a_run("r1"))


async def test_what_takes_back_is_not_done_twice_after_it_was_cut_off(journal):
    refunds = []
    undo = {"tool": "refund", "arguments": {"receipt": "self.text"}}
    flow = graph({"pay": {"type": "tool", "tool": "pay", "undo": undo}}, "pay.text")
    having = with_tools(
        "pay", pay=lambda: "receipt", refund=lambda receipt: refunds.append(receipt) or "refunded"
    )
    await journal.opened("r1", {})
    await journal.finished("r1", "pay", {"text": "x"}, Undoing("refund", {"receipt": "receipt"}))
    await journal.failing("r1", "down: no luck")
    await journal.began("r1", "pay.undo")
    await journal.released("r1")

    waiting = await runner(flow, having, journal).run({"question": ""}, a_run("r1"))
    journal.decide(waiting.questions[0].id, Decided("reject", "the bank has it"))
    with pytest.raises(StepError, match="no luck"):
        await runner(flow, having, journal).run({"question": ""}, a_run("r1"))

    assert "nobody knows whether it was done" in waiting.questions[0].ask
    assert refunds == []


def test_of_two_people_who_decide_at_once_one_is_heard(tmp_path, journal):
    other = Runs(f"sqlite:///{tmp_path}/journal.db")
    questions = [
        Question(f"r1:{n}", "r1", "ask", "?", ("approve", "reject"), 0.0) for n in range(40)
    ]
    asyncio.run(journal.waits("r1", questions))
    start = threading.Barrier(2)

    def decide(runs, choice):
        heard = 0
        for question in questions:
            start.wait()
            try:
                runs.decide(question.id, Decided(choice, "because"))
                heard += 1
            except ConfigError:
                pass
        return heard

    with ThreadPoolExecutor(2) as pool:
        heard = [pool.submit(decide, journal, "approve"), pool.submit(decide, other, "reject")]
    other.close()

    assert sum(one.result() for one in heard) == len(questions)
