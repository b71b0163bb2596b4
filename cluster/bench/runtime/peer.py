"""The same three graphs in LangGraph, which need not be installed."""

import operator
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

from typing_extensions import TypedDict

Invoke = Callable[[], Awaitable[Any]]


def peer_version() -> str | None:
    """The installed release; None where there is none."""
    try:
        return version("langgraph")
    except PackageNotFoundError:
        return None


class Count(TypedDict):
    """A number that each node replaces."""

    x: int


class Sum(TypedDict):
    """A number that each node adds to."""

    x: Annotated[int, operator.add]


async def _next(state: Count) -> dict[str, int]:
    return {"x": state["x"] + 1}


async def _one(state: Sum) -> dict[str, int]:
    return {"x": 1}


def chain(length: int) -> Invoke:
    """Nodes one after another."""
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(Count)
    names = [f"n{n}" for n in range(length)]
    for name in names:
        graph.add_node(name, _next)
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)
    made = graph.compile()
    return lambda: made.ainvoke({"x": 0})


def fan_out(width: int) -> Invoke:
    """One node, then many at once, then one that awaits them all."""
    from langgraph.graph import END, START, StateGraph

    graph = StateGraph(Sum)
    names = [f"n{n}" for n in range(width)]
    for name in ("first", *names, "last"):
        graph.add_node(name, _one)
    graph.add_edge(START, "first")
    for name in names:
        graph.add_edge("first", name)
    graph.add_edge(names, "last")
    graph.add_edge("last", END)
    made = graph.compile()
    return lambda: made.ainvoke({"x": 0})


def loop(turns: int) -> Invoke:
    """One node again and again until its number is reached."""
    from langgraph.graph import END, START, StateGraph

    def again(state: Count) -> str:
        return END if state["x"] >= turns else "body"

    graph = StateGraph(Count)
    graph.add_node("body", _next)
    graph.add_edge(START, "body")
    graph.add_conditional_edges("body", again)
    made = graph.compile()
    return lambda: made.ainvoke({"x": 0}, {"recursion_limit": 2 * turns})
