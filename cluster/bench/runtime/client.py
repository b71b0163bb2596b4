"""The processor time of a call to a model, beside a bare aiohttp post of the same body."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from cluster.bench.rows import Row, compared, judged
from cluster.bench.runtime.timing import Work, spread
from engine.config.model import Resilience
from engine.config.workflow import Llm, Workflow
from engine.errors import ConfigError
from engine.testing.faults.launch import FaultModel, fault_model
from engine.testing.faults.outcomes import Answer
from engine.testing.faults.script import Script
from engine.workflow.answer import Asked
from engine.workflow.building import Shared, flow_of
from engine.workflow.embedding import FloatArray
from engine.workflow.model.breaker import Breakers
from engine.workflow.model.client import Client, Kept
from engine.workflow.model.prices import PriceList
from engine.workflow.model.transport import Upstream, upstream
from engine.workflow.reply import Message
from engine.workflow.run import Run
from engine.workflow.spans import Timeline

MESSAGES: list[Message] = [
    {"role": "system", "content": "Answer the question from the context."},
    {"role": "user", "content": "What does the standard library offer for dates? " * 20},
]
MOST = 1.5
"""Times a bare post that a call may take."""
GRAPH_MS = 0.35
GRAPH = {
    "input": {"question": "text"},
    "nodes": {"answer": {"type": "model", "say": "{input.question}"}},
    "output": "answer.text",
}


def measure(*, quick: bool) -> list[Row]:
    """Milliseconds of this process's own time; the server runs in another."""
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

        graph = await _graph(opened)
        return [
            *[await _row(ours, bare, lanes, calls, rounds) for lanes in (1, 32)],
            await _graph_row(graph, calls, rounds),
        ]


async def _graph(opened: Upstream) -> Work:
    """A request through a graph of one model step."""
    with tempfile.TemporaryDirectory() as folder:
        shared = Shared(Path(folder), _embedded, {}, "none", client=opened)
        workflow = Workflow.model_validate({"workflow": "bench", "graph": GRAPH})
        flow = await flow_of(workflow, shared)

    async def asked() -> None:
        await flow.answer(Asked("bench", MESSAGES, time.monotonic() + 60.0))

    return asked


async def _embedded(texts: Sequence[str]) -> FloatArray:
    raise ConfigError("the graph of this benchmark asks for no vectors")


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
    ms, peer = spread(mine), spread(theirs).median
    how = "one after another" if lanes == 1 else f"{lanes} at once"
    row = Row(
        id=f"client-{lanes}",
        what=f"processor time of a call through the model client, {how}, to a bare aiohttp post's",
        value=ms.median,
        low=ms.low,
        high=ms.high,
        unit="ms",
        goal=f"<= {MOST * peer:.4g}",
    )
    return compared(judged(row), peer)


async def _graph_row(graph: Work, calls: int, rounds: int) -> Row:
    await _ms_a_call(graph, 1, calls)
    ms = spread([await _ms_a_call(graph, 1, calls) for _ in range(rounds)])
    return judged(
        Row(
            id="client-graph",
            what="processor time of a request through a graph of one model step",
            value=ms.median,
            low=ms.low,
            high=ms.high,
            unit="ms",
            goal=f"<= {GRAPH_MS}",
        )
    )


async def _ms_a_call(work: Work, lanes: int, calls: int) -> float:
    async def lane() -> None:
        for _ in range(calls // lanes):
            await work()

    # By the clock it would be the server's time, too, and that of whoever shares the machine.
    began = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane())
    return 1e3 * (time.process_time() - began) / (calls // lanes * lanes)
