"""What a failed request has changed is taken back, all of it, whatever way it failed."""

import asyncio
from dataclasses import replace

import pytest

from engine.errors import DeadlineError
from engine.workflow.failure import PersonError, StepError
from engine.workflow.plan.journal import Decided
from engine.workflow.plan.runs import Runs
from tests.engine.workflow.plan.flows import a_run, call, parts, runner
from tests.engine.workflow.plan.orders import lines, order, tools


@pytest.fixture
def journal(tmp_path):
    runs = Runs(f"sqlite:///{tmp_path}/journal.db")
    yield runs
    runs.close()


@pytest.fixture
def book(tmp_path):
    return tmp_path / "book"


def having_also(book, *, failing=(), pay_hook=None, **functions):
    having = tools(book, failing=failing, pay_hook=pay_hook)
    having.functions.update(parts(**functions).functions)
    return having


async def bad():
    await asyncio.sleep(0.01)
    raise StepError("bad_day", "no luck")


@pytest.mark.parametrize("durable", [True, False])
async def test_an_effect_that_ends_after_another_step_failed_is_taken_back(journal, book, durable):
    async def slow(text):
        await asyncio.sleep(0.05)
        return text

    having = having_also(book, bad=bad)
    having = slowed(having, slow)
    flow = order(bad=call("bad"))

    with pytest.raises(StepError, match="no luck"):
        await runner(flow, having, journal if durable else None).run({"order": "o1"}, a_run("r1"))

    assert lines(book) == ["reserve o1", "release o1"]


def slowed(having, slow):
    """The same tools, of which `reserve` takes a while."""

    def belt(names):
        made = having.tools(names)

        class Slow:
            def schemas(self):
                return made.schemas()

            async def call(self, calls, run):
                if calls[0].name == "reserve":
                    await slow("")
                return await made.call(calls, run)

        return Slow()

    return replace(having, tools=belt)


async def test_an_effect_of_an_earlier_try_is_taken_back_although_its_branch_did_not_run_again(
    journal, book
):
    async def look():
        await asyncio.sleep(0.05)

    ask = {"type": "person", "ask": "Pay?"}
    again = {"type": "retrieve", "query": "input.order"}
    flow = order(ask=ask, again=again, reserve={"after": ["again"]})

    class Find:
        async def find(self, query, run, top_k):
            await look()
            return []

    made = runner(flow, replace(tools(book), find=Find()), journal)

    waiting = await made.run({"order": "o1"}, a_run("r1"))
    journal.decide("r1:ask", Decided("reject", "fraud"))
    with pytest.raises(PersonError, match="fraud"):
        await made.run({"order": "o1"}, a_run("r1"))

    assert waiting.status == "waiting"
    assert lines(book)[-2:] == ["refund receipt-1", "release o1"]


async def test_a_request_whose_effects_are_being_taken_back_never_goes_on(journal, book):
    stuck = runner(order(), tools(book, failing=["notify", "release"]), journal)
    waiting = await stuck.run({"order": "o1"}, a_run("r1"))
    journal.decide(waiting.questions[0].id, Decided("approve", "the store is back"))

    mended = runner(order(), tools(book), journal)
    with pytest.raises(StepError, match="notify is down"):
        await mended.run({"order": "o1"}, a_run("r1"))

    assert lines(book) == ["reserve o1", "pay o1", "refund receipt-1", "release o1"]


async def test_an_answer_that_is_not_there_takes_everything_back(journal, book):
    flow = order(total=call("total", after=["notify"]))
    flow = flow.model_copy(update={"output": "total.result.sum"})
    having = having_also(book, total=lambda: {"tax": 1})

    with pytest.raises(StepError, match=r"there is no `total\.result\.sum`"):
        await runner(flow, having, journal).run({"order": "o1"}, a_run("r1"))

    assert lines(book)[-2:] == ["refund receipt-1", "release o1"]


async def test_a_step_that_breaks_in_a_way_nobody_foresaw_takes_everything_back(journal, book):
    class Find:
        async def find(self, query, run, top_k):
            raise ZeroDivisionError

    look = {"type": "retrieve", "query": "input.order", "after": ["notify"]}

    with pytest.raises(StepError, match="`look`: ZeroDivisionError"):
        await runner(order(look=look), replace(tools(book), find=Find()), journal).run(
            {"order": "o1"}, a_run("r1")
        )

    assert lines(book)[-2:] == ["refund receipt-1", "release o1"]


async def test_a_request_that_nobody_waits_for_any_more_takes_its_effects_back(book):
    started = asyncio.Event()

    async def hang():
        started.set()
        await asyncio.sleep(5)

    flow = order(hang=call("hang", after=["pay"]))
    having = having_also(book, hang=hang)
    task = asyncio.create_task(runner(flow, having).run({"order": "o1"}, a_run("r1")))
    await started.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert {"refund receipt-1", "release o1"} <= {*lines(book)}


async def test_a_durable_request_goes_on_when_nobody_waits_for_it_any_more(journal, book):
    started, ended = asyncio.Event(), asyncio.Event()

    async def slow():
        started.set()
        await asyncio.sleep(0.05)

    async def last():
        ended.set()
        return "x"

    flow = order(slow=call("slow"), last=call("last", after=["slow", "notify"]))
    having = having_also(book, slow=slow, last=last)
    made = runner(flow, having, journal)
    task = asyncio.create_task(made.run({"order": "o1"}, a_run("r1")))
    await started.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    again = await made.run({"order": "o1"}, a_run("r1"))

    assert again.output == "sent"
    assert lines(book) == ["reserve o1", "pay o1", "notify receipt-1"]


async def test_a_function_without_a_time_of_its_own_ends_with_the_request(journal, book):
    async def hang():
        await asyncio.sleep(5)

    flow = order(hang=call("hang", after=["pay"]))
    having = having_also(book, hang=hang)

    async with asyncio.timeout(2):
        with pytest.raises(DeadlineError):
            await runner(flow, having, journal).run({"order": "o1"}, a_run("r1", seconds=0.3))

    assert {"refund receipt-1", "release o1"} <= {*lines(book)}
