"""What was skipped, or answered by a person, leaves nothing half read."""

import asyncio

import pytest

from engine.workflow.failure import StepError
from engine.workflow.plan.place import Parts
from engine.workflow.plan.runs import Runs
from tests.engine.workflow.plan.flows import a_run, answer, call, graph, parts, runner, with_tools


async def test_a_step_that_reads_a_skipped_one_is_skipped_though_it_names_it_under_after_too():
    nodes = {
        "never": {"type": "text", "text": "x", "when": "false"},
        "next": {"type": "text", "text": "{{ never.text }}", "after": ["never"]},
        "plain": {"type": "text", "text": "plain"},
        "out": {"type": "first", "of": ["next.text", "plain.text"]},
    }

    assert await answer(graph(nodes, "out.value"), {"question": ""}, Parts()) == "plain"


async def test_no_text_is_asked_for_where_more_than_a_text_is_read(tmp_path):
    def pay():
        raise ValueError("no network")

    step = {"type": "tool", "tool": "pay", "on_error": "person", "fields": {"id": "text"}}
    journal = Runs(f"sqlite:///{tmp_path}/journal.db")

    waiting = await runner(graph({"pay": step}, "pay.id"), with_tools("pay", pay=pay), journal).run(
        {"question": ""}, a_run("r1")
    )
    journal.close()

    assert waiting.questions[0].options == ("approve", "reject")


async def test_what_fell_back_to_a_text_was_not_done_and_is_not_taken_back():
    undone = []

    def pay():
        raise ValueError("no network")

    async def bad():
        raise StepError("bad_day", "no luck")

    undo = {"tool": "refund", "arguments": {"receipt": "self.text"}}
    step = {"type": "tool", "tool": "pay", "on_error": "fallback", "instead": "-", "undo": undo}
    flow = graph({"pay": step, "bad": call("bad", x="pay.text")}, "bad.result")
    having = with_tools("pay", pay=pay, refund=lambda receipt: undone.append(receipt) or "")
    having.functions.update(parts(bad=lambda x: bad()).functions)

    with pytest.raises(StepError, match="no luck"):
        await runner(flow, having).run({"question": ""}, a_run("r1"))

    assert undone == []


async def test_a_long_list_is_gone_through_with_few_tasks():
    most = 0

    async def count(x):
        nonlocal most
        most = max(most, len(asyncio.all_tasks()))
        await asyncio.sleep(0)
        return x

    each = graph({"x": call("count", x="input.item")}, "x.result", item="integer")
    nodes = {"all": {"type": "map", "over": "input.x", "at_once": 4, "each": each}}
    flow = graph(nodes, "all.values", x="list[integer]")

    found = await answer(flow, {"x": list(range(500))}, parts(count=count))

    assert found == list(range(500))
    assert most < 10


async def test_time_that_ran_out_is_no_failed_item_to_leave_out():
    async def hang():
        await asyncio.sleep(5)

    each = graph({"x": call("hang", timeout_s=0.01)}, "x.result", item="integer")
    nodes = {"all": {"type": "map", "over": "input.x", "failed_items": "skip", "each": each}}
    flow = graph(nodes, "all.count", x="list[integer]")

    assert await answer(flow, {"x": [1, 2]}, parts(hang=hang)) == 0
