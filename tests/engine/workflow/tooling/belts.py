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
