"""Belts over tools that note what was done, and the runs that they are called in."""

import asyncio
import json
import time

from engine.config import tools as config
from engine.config.budget import Budget
from engine.workflow.reply import ToolCall
from engine.workflow.run import Run
from engine.workflow.spans import Timeline
from engine.workflow.tooling.belt import Belt
from engine.workflow.tooling.registry import Registry
from engine.workflow.tooling.tool import tool


def a_run(spans=None, left_s=5.0, **budget):
    timeline = Timeline([] if spans is None else spans)
    return Run("r1", time.monotonic() + left_s, timeline, Budget(**budget))


def a_belt(*tools, parts=None, scopes=None, **settings):
    granted = {scope for each in tools for scope in each.scopes} if scopes is None else scopes
    return Belt(Registry(tools), config.Tools(scopes=tuple(granted), **settings), parts)


def call(name, id="c1", **arguments):
    return ToolCall(id, name, json.dumps(arguments))


async def texts(belt, *calls, run=None):
    messages = await belt.call(calls, run or a_run())
    assert [each["tool_call_id"] for each in messages] == [each.id for each in calls]
    return [each["content"] for each in messages]


class Diary:
    """Notes when calls began and ended, and how many ran at once."""

    def __init__(self):
        self.notes = []
        self.most = 0
        self._now = 0

    async def spend(self, name, seconds=0.02):
        self._now += 1
        self.most = max(self.most, self._now)
        self.notes.append(f"{name} begins")
        try:
            await asyncio.sleep(seconds)
        finally:
            self._now -= 1
            self.notes.append(f"{name} ends")


def a_tool(act, name, effect="read", **settings):
    """A tool `name(x)` that returns what `act(x)` gives, awaited."""

    async def function(x: str = "") -> object:
        """Does it."""
        return await act(x)

    return tool(effect=effect, name=name, **settings)(function)


def diarist(diary, name, effect="read", **settings):
    async def act(x):
        await diary.spend(name)
        return f"{name}({x})"

    return a_tool(act, name, effect, **settings)


class Failing:
    """Raises the errors it is given, one a call, and then answers."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self, x):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"
