"""A call through the model client beside a bare aiohttp post of the same body."""

import asyncio
import time

import aiohttp

from cluster.bench.rows import Row, compared
from cluster.bench.runtime.timing import Work, spread
from engine.config.model import Resilience
from engine.config.workflow import Llm
from engine.testing.faults.launch import FaultModel, fault_model
from engine.testing.faults.outcomes import Answer
from engine.testing.faults.script import Script
from engine.workflow.model.breaker import Breakers
from engine.workflow.model.client import Client, Kept
from engine.workflow.model.prices import PriceList
from engine.workflow.model.transport import upstream
from engine.workflow.reply import Message
from engine.workflow.run import Run
from engine.workflow.spans import Timeline

MESSAGES: list[Message] = [
    {"role": "system", "content": "Answer the question from the context."},
    {"role": "user", "content": "What does the standard library offer for dates? " * 20},
]


def measure(*, quick: bool) -> list[Row]:
    """Milliseconds a call, sequential and 32 at once; the server's own time is in both sides."""
    return asyncio.run(_measured(rounds=6 if quick else 12, calls=192 if quick else 640))


async def _measured(rounds: int, calls: int) -> list[Row]:
    script = Script(usual=Answer(text="A module named datetime.", latency_s=0.0))
    async with (
        fault_model(script) as server,
        upstream(server.base_url, "none") as opened,
        aiohttp.ClientSession() as session,
    ):
        kept = Kept(Breakers(Resilience().breaker), PriceList())
        client = Client(opened, Llm(), Resilience(), kept)

        async def ours() -> None:
            run = Run("bench", time.monotonic() + 60.0, Timeline([]))
            await client.ask(MESSAGES, run, node="bench")

        async def bare() -> None:
            await _posted(session, server)

        return [await _row(ours, bare, lanes, calls, rounds) for lanes in (1, 32)]


async def _posted(session: aiohttp.ClientSession, server: FaultModel) -> None:
    settings = Llm()
    body = {
        "model": settings.name,
        "messages": MESSAGES,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "max_tokens": settings.max_tokens,
    }
    async with session.post(f"{server.base_url}/chat/completions", json=body) as answer:
        answer.raise_for_status()
        await answer.json()


async def _row(ours: Work, bare: Work, lanes: int, calls: int, rounds: int) -> Row:
    mine: list[float] = []
    theirs: list[float] = []
    for work in (ours, bare):
        await _ms_a_call(work, lanes, 2 * lanes)
    for _ in range(rounds):
        mine.append(await _ms_a_call(ours, lanes, calls))
        theirs.append(await _ms_a_call(bare, lanes, calls))
    ms = spread(mine)
    how = "one after another" if lanes == 1 else f"{lanes} at once"
    row = Row(
        id=f"client-{lanes}",
        what=f"a call through the model client, {how}, to a bare aiohttp post",
        value=ms.median,
        low=ms.low,
        high=ms.high,
        unit="ms",
    )
    return compared(row, spread(theirs).median)


async def _ms_a_call(work: Work, lanes: int, calls: int) -> float:
    async def lane() -> None:
        for _ in range(calls // lanes):
            await work()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane())
    return 1e3 * (time.perf_counter() - began) / (calls // lanes * lanes)
