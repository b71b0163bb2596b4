"""A thousand requests that wait for a model at the same time: how long, and how much memory."""

import asyncio
import time
from collections.abc import Sequence

import psutil

from cluster.bench.rows import Row, judged
from engine.config.graph.nested import Graph
from engine.config.model import Resilience
from engine.config.workflow import Llm
from engine.testing.faults.launch import fault_model
from engine.testing.faults.outcomes import Answer
from engine.testing.faults.script import Script
from engine.workflow.model.breaker import Breakers
from engine.workflow.model.client import Client, Kept
from engine.workflow.model.prices import PriceList
from engine.workflow.model.transport import upstream
from engine.workflow.parts import NOTHING, Asker, Offer, OnText, Tier
from engine.workflow.plan.compiled import compiled
from engine.workflow.plan.execute import Plan
from engine.workflow.plan.place import Parts, Place
from engine.workflow.reply import Message, Reply, Usage
from engine.workflow.run import Run
from engine.workflow.spans import Timeline

RUNS = 1_000
WAIT_S = 1.0
GOAL = "< 1.3"
GRAPH = Graph.model_validate(
    {
        "input": {"question": "text"},
        "nodes": {
            "asked": {"type": "text", "text": "Answer briefly: {{ input.question }}"},
            "answer": {"type": "model", "say": "{{ asked.text }}"},
            "signed": {"type": "text", "text": "{{ answer.text }} (by the model)"},
        },
        "output": "signed.text",
    }
)


class Waiting:
    """A model in this process that answers after its time."""

    async def ask(
        self,
        messages: Sequence[Message],
        run: Run,
        *,
        node: str,
        offer: Offer = NOTHING,
        tier: Tier = "usual",
        on_text: OnText | None = None,
    ) -> Reply:
        """One turn, always the same."""
        run.step()
        with run.timeline.span(node):
            await asyncio.sleep(WAIT_S)
        usage = Usage(10, 1, 0.0)
        run.charge(usage)
        return Reply("yes", (), usage, "waiting")


def measure(*, quick: bool) -> list[Row]:
    """The stub first, for memory that the other one's connections took would be taken again."""
    rounds = 1 if quick else 3
    return asyncio.run(_with_stub(rounds)) + asyncio.run(_over_sockets(rounds))


async def _with_stub(rounds: int) -> list[Row]:
    name = f"{RUNS} requests at once, each {WAIT_S:g} s at a stub in the process"
    took_s, run_kib = await _best(Waiting(), rounds)
    took = Row(id="concurrency-stub", what=name, value=took_s, unit="s", goal=GOAL)
    return [judged(took), _memory("stub", name, run_kib)]


async def _over_sockets(rounds: int) -> list[Row]:
    name = f"{RUNS} requests at once, each {WAIT_S:g} s at a model in another process, over HTTP"
    script = Script(usual=Answer(text="yes", latency_s=WAIT_S))
    async with (
        fault_model(script) as server,
        upstream(server.base_url, "none") as opened,
    ):
        kept = Kept(Breakers(Resilience().breaker), PriceList())
        took_s, run_kib = await _best(Client(opened, Llm(), Resilience(), kept), rounds)
    took = Row(id="concurrency-http", what=name, value=took_s, unit="s")
    return [took, _memory("http", name, run_kib)]


def _memory(kind: str, name: str, run_kib: float) -> Row:
    what = f"{name}: resident memory a request"
    return Row(id=f"concurrency-{kind}-memory", what=what, value=run_kib, unit="KiB")


async def _best(asker: Asker, rounds: int) -> tuple[float, float]:
    """The shortest round, and the growth of the first, before there was memory to use again."""
    plan = compiled(GRAPH, Parts(asker=asker))
    await _at_once(plan, 10)
    found = [await _at_once(plan, RUNS) for _ in range(rounds)]
    return min(took_s for took_s, _ in found), found[0][1]


async def _at_once(plan: Plan, count: int) -> tuple[float, float]:
    memory = psutil.Process().memory_info
    before = most = memory().rss

    async def one(number: int) -> None:
        run = Run(f"run-{number}", time.monotonic() + 60.0, Timeline([]))
        execution = await plan.run({"question": f"Is {number} a number?"}, Place(run))
        if plan.answer(execution.values) != "yes (by the model)":
            raise AssertionError(f"request {number}: got {plan.answer(execution.values)!r}")

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        runs = [group.create_task(one(number)) for number in range(count)]
        while not all(run.done() for run in runs):
            most = max(most, memory().rss)
            await asyncio.wait(runs, timeout=0.1)
    return time.perf_counter() - began, (most - before) / count / 1_024
