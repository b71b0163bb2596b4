"""What is finished is never done again, and what failed is taken back."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import ConfigError, DeadlineError, NotFoundError
from engine.workflow.failure import PersonError, StepError
from engine.workflow.plan.journal import Decided
from engine.workflow.plan.place import Parts
from engine.workflow.plan.runs import Runs
from tests.engine.workflow.plan.flows import a_run, call, graph, parts, runner, with_tools
from tests.engine.workflow.plan.orders import lines, order, tools

ROOT = Path(__file__).parents[4]


@pytest.fixture
def journal(tmp_path):
    runs = Runs(f"sqlite:///{tmp_path}/journal.db")
    yield runs
    runs.close()


@pytest.fixture
def book(tmp_path):
    return tmp_path / "book"


async def test_a_request_that_was_cut_off_goes_on_after_its_last_finished_step(journal, book):
    failing = runner(order(), tools(book, failing=["pay"]), journal)
    with pytest.raises(StepError):
        await failing.run({"order": "o1"}, a_run("r0"))
    killed = runner(order(pay={"timeout_s": 0.05}), tools(book), journal)

    ended = await killed.run({"order": "o2"}, a_run("r1"))
    again = await killed.run({"order": "o2"}, a_run("r1"))

    assert ended.output == again.output == "sent"
    assert lines(book).count("pay o2") == 1


def run_killed(book, url, *, die):
    command = [sys.executable, "-m", "tests.engine.workflow.plan.killed", str(book), url]
    return subprocess.run(
        command + (["die"] if die else []),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_killed_request_is_not_paid_for_twice(tmp_path, book):
    url = f"sqlite:///{tmp_path}/journal.db"

    first = run_killed(book, url, die=True)
    second = run_killed(book, url, die=False)

    assert first.returncode == -9
    assert second.stdout.strip() == "sent", second.stderr
    assert lines(book) == ["reserve o1", "pay o1", "notify receipt-1"]


async def test_effects_are_taken_back_in_reverse_order(journal, book):
    failing = runner(order(), tools(book, failing=["notify"]), journal)

    with pytest.raises(StepError, match="notify is down"):
        await failing.run({"order": "o1"}, a_run("r1"))

    assert lines(book) == ["reserve o1", "pay o1", "refund receipt-1", "release o1"]
    with pytest.raises(StepError, match="notify is down") as seen:
        await failing.run({"order": "o1"}, a_run("r1"))
    assert seen.value.code == "failed_before"


async def test_effects_are_taken_back_without_a_journal_too(book):
    failing = runner(order(), tools(book, failing=["notify"]))

    with pytest.raises(StepError, match="notify is down"):
        await failing.run({"order": "o1"}, a_run("r1"))

    assert lines(book)[-2:] == ["refund receipt-1", "release o1"]


async def test_what_cannot_be_taken_back_waits_for_a_person(journal, book):
    stuck = runner(order(), tools(book, failing=["notify", "refund"]), journal)

    ended = await stuck.run({"order": "o1"}, a_run("r1"))
    [question] = journal.questions()
    journal.decide(question.id, Decided("approve", "the bank is back"))
    mended = runner(order(), tools(book, failing=["notify"]), journal)
    with pytest.raises(StepError, match="notify is down"):
        await mended.run({"order": "o1"}, a_run("r1"))

    assert ended.status == "waiting"
    assert "`pay` could not be taken back by `refund`: refund: refund is down" in question.ask
    assert lines(book) == ["reserve o1", "pay o1", "refund receipt-1", "release o1"]


async def test_a_person_may_leave_an_effect_as_it_is(journal, book):
    stuck = runner(order(), tools(book, failing=["notify", "refund"]), journal)
    await stuck.run({"order": "o1"}, a_run("r1"))
    [question] = journal.questions()
    journal.decide(question.id, Decided("reject", "settled by phone"))

    with pytest.raises(StepError, match="notify is down"):
        await stuck.run({"order": "o1"}, a_run("r1"))

    assert lines(book) == ["reserve o1", "pay o1", "release o1"]


async def test_an_effect_that_began_is_brought_to_its_end(journal):
    done = []

    async def write():
        await asyncio.sleep(0.03)
        done.append("written")
        return "x"

    async def bad():
        await asyncio.sleep(0.01)
        raise StepError("bad_day", "no luck")

    flow = graph({"w": call("write", effect="write"), "b": call("bad")}, "w.result")

    with pytest.raises(StepError, match="no luck"):
        await runner(flow, parts(write=write, bad=bad), journal).run({"question": ""}, a_run("r1"))

    kept = await journal.opened("r1", {})
    assert done == ["written"]
    assert kept.outputs == {"w": {"result": "x"}}


async def test_a_tool_that_takes_an_idempotency_key_gets_the_steps_own(journal):
    seen = []

    def pay(order, idempotency_key):
        seen.append(idempotency_key)
        return "paid"

    flow = graph(
        {"pay": {"type": "tool", "tool": "pay", "arguments": {"order": "input.order"}}},
        "pay.text",
        order="text",
    )

    await runner(flow, with_tools("pay", pay=pay), journal).run({"order": "o"}, a_run("r1"))

    assert seen == ["r1:pay"]


def asking(**changes):
    nodes = {
        "risk": {"type": "text", "text": "high"},
        "ask": {"type": "person", "ask": "Risk {{ risk.text }}: pay {{ input.question }}?"},
        "out": {"type": "text", "text": "{{ ask.decision }}: {{ ask.reason }}"},
    }
    nodes["ask"] |= changes
    return graph(nodes, "out.text")


async def test_a_request_waits_for_a_person_across_restarts(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.db"
    before = Runs(url)
    waiting = await runner(asking(), Parts(), before).run({"question": "9 €"}, a_run("r1"))
    before.close()
    after = Runs(url)

    [question] = after.questions()
    after.decide(question.id, Decided("approve", "a known customer", by="ann"))
    ended = await runner(asking(), Parts(), after).run({"question": "9 €"}, a_run("r1"))

    assert (waiting.status, waiting.questions[0].ask) == ("waiting", "Risk high: pay 9 €?")
    assert (ended.status, ended.output) == ("done", "approve: a known customer")
    assert after.questions() == []
    after.close()


async def test_all_that_can_run_runs_before_the_request_waits(journal):
    ran = []

    async def slow():
        await asyncio.sleep(0.01)
        ran.append("slow")
        return "x"

    flow = asking()
    nodes = dict(flow.nodes) | dict(graph({"slow": call("slow")}, "slow.result").nodes)
    flow = flow.model_copy(update={"nodes": nodes})

    first = await runner(flow, parts(slow=slow), journal).run({"question": ""}, a_run("r1"))
    journal.decide(first.questions[0].id, Decided("approve", "fine"))
    second = await runner(flow, parts(slow=slow), journal).run({"question": ""}, a_run("r1"))

    assert (first.status, second.status, ran) == ("waiting", "done", ["slow"])


async def test_a_rejected_request_fails_with_the_reason(journal):
    await runner(asking(), Parts(), journal).run({"question": ""}, a_run("r1"))
    journal.decide("r1:ask", Decided("reject", "looks like fraud", by="bo"))

    with pytest.raises(PersonError, match="bo: looks like fraud"):
        await runner(asking(), Parts(), journal).run({"question": ""}, a_run("r1"))


async def test_without_a_journal_nobody_can_be_asked():
    with pytest.raises(StepError, match="ask: a person has to decide") as seen:
        await runner(asking(), Parts()).run({"question": ""}, a_run("r1"))
    assert seen.value.code == "nobody_to_ask"


@pytest.mark.parametrize(
    ("id_", "decided", "error", "why"),
    [
        ("r9:ask", Decided("approve", "x"), NotFoundError, "there is no question 'r9:ask'"),
        ("r1:ask", Decided("answer", "x", "y"), ConfigError, "write one of approve, reject"),
        ("r1:ask", Decided("approve", " "), ConfigError, "say why"),
    ],
)
async def test_a_decision_that_does_not_fit_is_refused(journal, id_, decided, error, why):
    await runner(asking(), Parts(), journal).run({"question": ""}, a_run("r1"))

    with pytest.raises(error, match=why):
        journal.decide(id_, decided)
    assert len(journal.questions()) == 1


async def test_an_empty_answer_is_refused(journal):
    flow = asking(options=["answer"])
    await runner(flow, Parts(), journal).run({"question": ""}, a_run("r1"))

    with pytest.raises(ConfigError, match="an answer needs its text"):
        journal.decide("r1:ask", Decided("answer", "because", ""))


async def test_what_was_decided_stays_decided(journal):
    await runner(asking(), Parts(), journal).run({"question": ""}, a_run("r1"))
    journal.decide("r1:ask", Decided("approve", "fine"))

    journal.decide("r1:ask", Decided("approve", "fine, again"))
    with pytest.raises(ConfigError, match="decided before: approve, fine"):
        journal.decide("r1:ask", Decided("reject", "no"))


async def test_a_person_helps_a_failed_step_out(journal):
    working = []

    def flaky():
        if not working:
            raise StepError("down", "the service is down")
        return "up"

    flow = graph({"flaky": call("flaky", on_error="person")}, "flaky.result")
    made = runner(flow, parts(flaky=flaky), journal)

    first = await made.run({"question": ""}, a_run("r1"))
    journal.decide(first.questions[0].id, Decided("approve", "try again"))
    second = await made.run({"question": ""}, a_run("r1"))
    working.append(1)
    journal.decide(second.questions[0].id, Decided("approve", "now it works"))
    third = await made.run({"question": ""}, a_run("r1"))

    assert first.questions[0].ask == (
        "`flaky` failed: the service is down. Approve to try again, or reject."
    )
    assert (third.status, third.output) == ("done", "up")


async def test_a_person_answers_in_a_failed_steps_place(journal):
    flow = graph(
        {"pay": {"type": "tool", "tool": "pay", "on_error": "person"}}, "pay.text", order="text"
    )

    def pay():
        raise ValueError("no network")

    made = runner(flow, with_tools("pay", pay=pay), journal)
    first = await made.run({"order": "o"}, a_run("r1"))
    journal.decide(first.questions[0].id, Decided("answer", "paid by hand", "receipt-7"))
    ended = await made.run({"order": "o"}, a_run("r1"))

    assert ended.output == "receipt-7"


async def test_a_person_may_reject_a_failed_step(journal):
    def bad():
        raise StepError("down", "down")

    made = runner(
        graph({"bad": call("bad", on_error="person")}, "bad.result"), parts(bad=bad), journal
    )
    first = await made.run({"question": ""}, a_run("r1"))
    journal.decide(first.questions[0].id, Decided("reject", "not today"))

    with pytest.raises(PersonError, match="a person: not today"):
        await made.run({"question": ""}, a_run("r1"))


async def test_a_question_inside_a_list_stops_that_item_alone(journal):
    each = graph(
        {
            "ask": {"type": "person", "ask": "item {{ input.item }}?"},
            "out": {"type": "text", "text": "{{ input.item }} {{ ask.decision }}"},
        },
        "out.text",
        item="text",
    )
    flow = graph({"all": {"type": "map", "over": "input.x", "each": each}}, "all.values", x="any")
    made = runner(flow, Parts(), journal)

    waiting = await made.run({"x": ["a", "b"]}, a_run("r1"))
    for question in waiting.questions:
        journal.decide(question.id, Decided("approve", "fine"))
    ended = await made.run({"x": ["a", "b"]}, a_run("r1"))

    assert [one.path for one in waiting.questions] == ["all[0].ask", "all[1].ask"]
    assert ended.output == ["a approve", "b approve"]


async def test_a_request_out_of_time_takes_its_effects_back_in_time_of_their_own(journal, book):
    async def slow():
        await asyncio.sleep(5)

    step = {"type": "call", "call": "test:slow", "after": ["pay"], "timeout_s": 0.05}
    having = tools(book)
    having.functions["test:slow"] = slow

    with pytest.raises(DeadlineError):
        await runner(order(slow=step), having, journal).run({"order": "o1"}, a_run("r1"))

    assert {"refund receipt-1", "release o1"} <= {*lines(book)}


def test_what_a_request_was_begun_with_is_kept(journal):
    asyncio.run(journal.opened("r1", {"variant": "abc"}))
    asyncio.run(journal.opened("r1", {"variant": "other"}))

    assert journal.about("r1") == {"variant": "abc"}
    with pytest.raises(NotFoundError, match="there is no request 'r2'"):
        journal.about("r2")
