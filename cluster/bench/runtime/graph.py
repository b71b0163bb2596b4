"""What a graph costs beyond its steps' own work, a node, beside LangGraph in the same process."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cluster.bench.rows import Row, compared, judged
from cluster.bench.runtime import peer
from cluster.bench.runtime.timing import Work, seconds, spread
from engine.config.graph.nested import Graph
from engine.workflow.plan.compiled import compiled
from engine.workflow.plan.place import Parts, Place
from engine.workflow.run import Run
from engine.workflow.spans import Timeline

GOAL = "<= 0.1"
CHAIN, FAN, LOOP = 5, 20, 50


@dataclass(frozen=True)
class Shape:
    """One graph in both, and how many of its nodes run."""

    name: str
    graph: Graph
    theirs: Callable[[], peer.Invoke]
    nodes: int
    answer: int


def measure(*, quick: bool) -> list[Row]:
    """Microseconds a node, and the ratio to LangGraph's in rounds that take turns."""
    return asyncio.run(_measured(rounds=6 if quick else 15))


async def _measured(rounds: int) -> list[Row]:
    return [row for shape in shapes() for row in await _rows(shape, rounds)]


def shapes() -> list[Shape]:
    """A chain, a fan-out with its join, and a loop."""
    return [
        Shape("chain", _chain(), lambda: peer.chain(CHAIN), CHAIN, CHAIN),
        Shape("fan-out", _fan_out(), lambda: peer.fan_out(FAN), FAN + 2, 2 * FAN),
        Shape("loop", _loop(), lambda: peer.loop(LOOP), LOOP, LOOP),
    ]


async def _rows(shape: Shape, rounds: int) -> list[Row]:
    ours = await ready(shape)
    # About 0.1 s a round on either side.
    runs = max(1, 20_000 // shape.nodes)
    installed = peer.peer_version()
    theirs = shape.theirs() if installed else None
    if theirs:
        await theirs()
    mine: list[float] = []
    other: list[float] = []
    for _ in range(rounds):
        mine.append(await seconds(ours, runs))
        if theirs:
            other.append(await seconds(theirs, max(1, runs // 25)))
    us = spread(mine).times(1e6 / shape.nodes)
    what = f"a node of a {shape.name} of {shape.nodes} nodes"
    row = Row(
        id=f"graph-{shape.name}",
        what=what if installed else f"{what}; LangGraph is not installed",
        value=us.median,
        low=us.low,
        high=us.high,
        unit="µs",
    )
    if not other:
        return [row]
    share = spread([a / b for a, b in zip(mine, other, strict=True)])
    peer_us = spread(other).times(1e6 / shape.nodes).median
    ratio = Row(
        id=f"graph-{shape.name}-ratio",
        what=f"{what}, to LangGraph {installed}'s",
        value=share.median,
        low=share.low,
        high=share.high,
        unit="",
        goal=GOAL,
    )
    return [compared(row, peer_us), judged(ratio)]


async def ready(shape: Shape) -> Work:
    """Our side of a shape, once its answer proved right."""
    plan = compiled(shape.graph, Parts(functions={"bench:next": _next, "bench:total": _total}))

    async def once() -> Any:
        return await plan.run({"x": 0}, Place(Run("bench", time.monotonic() + 60.0, Timeline([]))))

    execution = await once()
    if (answer := plan.answer(execution.values)) != shape.answer:
        raise AssertionError(f"{shape.name}: got {answer}, expected {shape.answer}")
    return once


async def _next(x: int) -> int:
    return x + 1


async def _total(**values: int) -> int:
    return sum(values.values())


def _step(function: str, **arguments: str) -> dict[str, Any]:
    call = {"call": f"bench:{function}", "arguments": arguments, "returns": "integer"}
    return {"type": "call", **call}


def _graph(nodes: dict[str, Any], output: str) -> Graph:
    return Graph.model_validate({"input": {"x": "integer"}, "nodes": nodes, "output": output})


def _chain() -> Graph:
    reads = ["input.x", *(f"n{n}.result" for n in range(CHAIN - 1))]
    nodes = {f"n{n}": _step("next", x=read) for n, read in enumerate(reads)}
    return _graph(nodes, f"n{CHAIN - 1}.result")


def _fan_out() -> Graph:
    nodes = {"first": _step("next", x="input.x")}
    nodes |= {f"n{n}": _step("next", x="first.result") for n in range(FAN)}
    nodes["last"] = _step("total", **{f"x{n}": f"n{n}.result" for n in range(FAN)})
    return _graph(nodes, "last.result")


def _loop() -> Graph:
    body = {
        "input": {"x": "integer"},
        "nodes": {"body": _step("next", x="input.x")},
        "output": "body.result",
    }
    step = {
        "type": "loop",
        "most": LOOP,
        "until": f"body.result >= {LOOP}",
        "given": {"x": "input.x"},
        "carry": {"x": "body.result"},
        "body": body,
    }
    return _graph({"again": step}, "again.value")
