"""What bounds an agent's turns: their number, their time, and what the request has left."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from engine.errors import DeadlineError
from engine.workflow.failure import BudgetError
from engine.workflow.parts import Toolbelt
from engine.workflow.reply import Message, ToolCall
from engine.workflow.run import Run

AGAIN = "You made this very call before; its result was:\n"
"""Stands before a result that is told a second time."""
WITHOUT = "no tool can be called any more, so answer with what you know"


def closed(run: Run, turn: int, max_steps: int) -> str:
    """Why no tool may be called in this turn, counted from 1; empty where tools are open."""
    if run.level == "degraded":
        run.give_up("no_tools")
        return "no_tools"
    return "max_steps" if turn >= max_steps else ""


@asynccontextmanager
async def iteration(run: Run, limit_s: float) -> AsyncIterator[None]:
    """One turn and the calls that it makes, cut at `limit_s` or at the request's deadline.

    Raises:
        DeadlineError: It took longer.
    """
    left_s = run.within(limit_s)
    try:
        async with asyncio.timeout(left_s):
            yield
    except TimeoutError as error:
        raise DeadlineError(f"a turn and its tools took longer than {left_s:.3f} s") from error


class Calls:
    """The calls of one run: one that was made before is answered from its earlier result.

    A call that failed may be made again, because what it met may have passed.
    """

    def __init__(self, belt: Toolbelt) -> None:
        self._belt = belt
        self._results: dict[tuple[str, str], str] = {}

    async def made(self, calls: Sequence[ToolCall], run: Run) -> list[Message]:
        """The tool messages that answer these calls, in the calls' order.

        Calls that the budget has no room for are answered so, and the model goes on without them.

        Raises:
            DeadlineError: The request's time ran out.
        """
        known = dict(self._results)
        fresh: dict[tuple[str, str], ToolCall] = {}
        for call in calls:
            if _key(call) not in known:
                fresh.setdefault(_key(call), call)
        try:
            answers = await self._belt.call(list(fresh.values()), run) if fresh else []
        except BudgetError as spent:
            run.give_up("no_tools")
            return [_answered(call, f"error: {spent}; {WITHOUT}") for call in calls]
        told = {key: str(answer["content"]) for key, answer in zip(fresh, answers, strict=True)}
        self._results |= {key: text for key, text in told.items() if not text.startswith("error:")}
        first = {call.id for call in fresh.values()}
        return [
            _answered(call, told[_key(call)] if call.id in first else self._again(call, told))
            for call in calls
        ]

    def _again(self, call: ToolCall, told: dict[tuple[str, str], str]) -> str:
        return AGAIN + (self._results.get(_key(call)) or told[_key(call)])


def _answered(call: ToolCall, content: str) -> Message:
    return {"role": "tool", "tool_call_id": call.id, "content": content}


def _key(call: ToolCall) -> tuple[str, str]:
    try:
        arguments = json.dumps(json.loads(call.arguments or "{}"), sort_keys=True)
    except (ValueError, RecursionError):
        arguments = call.arguments
    return call.name, arguments


def numbered(calls: Sequence[ToolCall], turn: int) -> tuple[ToolCall, ...]:
    """The same calls with an id for each: some models give none, or one to all of them."""
    ids = [call.id for call in calls]
    if all(ids) and len(set(ids)) == len(ids):
        return tuple(calls)
    return tuple(replace(call, id=f"call_{turn}_{n}") for n, call in enumerate(calls))
