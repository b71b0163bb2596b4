"""A bad day of a model's endpoint: the engine's agent beside a bare loop on the same script."""

import asyncio
from collections.abc import Sequence

import numpy as np
from openai import AsyncOpenAI

from cluster.bench.rows import Row, compared, judged
from cluster.bench.runtime.agents import (
    DEADLINE_S,
    PATIENCE_S,
    Done,
    Work,
    naive,
    resilient,
)
from cluster.bench.runtime.orders import FAULTS, LATENCY_S, ORDERS, Order, bad_day
from engine.stats.proportion import wilson
from engine.testing.faults.launch import fault_model
from engine.workflow.model.transport import upstream

SEED = 11
AT_ONCE = 100


def measure(*, quick: bool) -> list[Row]:
    """All at the same time, each against its own server with the same script and seed."""
    return asyncio.run(_measured(300 if quick else 1_000))


async def _measured(count: int) -> list[Row]:
    async with (
        fault_model(bad_day(), SEED) as first,
        fault_model(bad_day(), SEED) as second,
        AsyncOpenAI(
            base_url=first.base_url, api_key="none", max_retries=0, timeout=PATIENCE_S
        ) as bare,
        upstream(second.base_url, "none") as opened,
        asyncio.TaskGroup() as group,
    ):
        theirs = group.create_task(_all(naive(bare), count))
        ours = group.create_task(_all(resilient(opened), count))
        await asyncio.wait([theirs, ours])
    return rows(ours.result(), theirs.result())


async def _all(work: Work, count: int) -> list[Done]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Done:
        async with room:
            return await work(Order(number % ORDERS))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(number)) for number in range(count)]
    return [task.result() for task in tasks]


def rows(ours: Sequence[Done], theirs: Sequence[Done]) -> list[Row]:
    """The engine's figures, with the bare loop's as their peers."""
    day = (
        f"{len(ours)} requests of 3 turns of {LATENCY_S:g} s, {AT_ONCE} at once, "
        f"{100 * sum(FAULTS.values()):.0f} % of calls fail or stall 30 s in real time"
    )
    right = [done.right for done in ours]
    erred = [done.right for done in ours if done.erred]
    their_erred = [done.right for done in theirs if done.erred]
    p99 = [float(np.quantile([done.seconds for done in each], 0.99)) for each in (ours, theirs)]
    cost = [float(np.mean([done.cost_usd for done in each])) for each in (ours, theirs)]
    success = _share("production-success", f"{day}: answered right", right, "> 0.95")
    recovered = _share("production-recovered", "of those that met an error", erred, ">= 0.85")
    within = f"p99 of a request; deadline {DEADLINE_S:g} s, the peer's {PATIENCE_S:g} s a call"
    spent = "cost of a request by the price list"
    return [
        compared(success, float(np.mean([done.right for done in theirs]))),
        compared(judged(_row("production-p99", within, p99[0], "s", "< 30")), p99[1]),
        compared(judged(_row("production-cost", spent, cost[0], "USD", "< 0.05")), cost[1]),
        compared(recovered, float(np.mean(their_erred)) if their_erred else 0.0),
    ]


def _share(id_: str, what: str, hits: Sequence[bool], goal: str | None = None) -> Row:
    if not hits:
        return judged(_row(id_, what, None, "of 0", goal))
    interval = wilson(sum(hits), len(hits))
    row = _row(id_, what, float(np.mean(hits)), f"of {len(hits)}", goal)
    return judged(row.model_copy(update={"low": interval.low, "high": interval.high}))


def _row(id_: str, what: str, value: float | None, unit: str, goal: str | None) -> Row:
    return Row(id=id_, what=what, value=value, unit=unit, goal=goal)
