"""Starts likely reads before the language model asks, and hands over what it then asks for."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from pydantic import JsonValue

from engine.config.tools import Likely
from engine.errors import TrimtabError
from engine.workflow.failure import ToolError
from engine.workflow.run import Run
from engine.workflow.tooling.parts import Parts
from engine.workflow.tooling.perform import Call, checked, perform
from engine.workflow.tooling.tool import Tool


class Prefetch:
    """The reads under way, by request; each is handed over at most once."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._early: dict[str, dict[str, asyncio.Task[str | None]]] = {}

    @asynccontextmanager
    async def during(self, calls: Iterable[Call], run: Run) -> AsyncIterator[None]:
        """Read early inside the block; what was not asked for by its end is cancelled."""
        tasks = {call.key: asyncio.create_task(self._read(call, run)) for call in calls}
        self._early[run.id] = dict(tasks)
        try:
            yield
        finally:
            self._early.pop(run.id, None)
            for task in tasks.values():
                task.cancel()
            if tasks:
                await asyncio.wait(tasks.values())

    async def taken(self, call: Call, run: Run) -> str | None:
        """The text of this call if it was started early and went well."""
        task = self._early.get(run.id, {}).pop(call.key, None)
        return None if task is None else await task

    async def _read(self, call: Call, run: Run) -> str | None:
        with run.timeline.span(call.tool.name) as span:
            span.update(kind="tool", early=True)
            try:
                return await perform(call, run, self._parts, span)
            except TrimtabError as error:
                # Nobody asked for it yet; when somebody does, the call is made as usual.
                span.update(status="error", error=getattr(error, "code", type(error).__name__))
                return None


def likely(reads: Iterable[Likely], question: str, offered: Mapping[str, Tool]) -> list[Call]:
    """The calls to make early: offered reads that need nobody's approval."""
    calls = []
    for read in reads:
        tool = offered.get(read.tool)
        if tool is None or tool.effect != "read" or tool.needs_approval:
            continue
        arguments = {name: _filled(value, question) for name, value in read.arguments.items()}
        try:
            calls.append(checked(tool, arguments))
        except ToolError:
            # A question may not fit a parameter, for example because it is too long.
            continue
    return calls


def _filled(value: JsonValue, question: str) -> JsonValue:
    return value.replace("{question}", question) if isinstance(value, str) else value
