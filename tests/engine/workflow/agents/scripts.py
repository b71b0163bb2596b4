"""A language model and tools that follow a script, for tests of agents."""

import asyncio
import json
import time

from engine.config.budget import Budget
from engine.workflow.failure import LlmError
from engine.workflow.parts import NOTHING
from engine.workflow.reply import Reply, ToolCall, Usage
from engine.workflow.run import Run
from engine.workflow.spans import Timeline

ASKED = [{"role": "user", "content": "When is the tide high in Brest?"}]
USED = Usage(10, 5, 0.0001)
FAILED = LlmError("upstream_5xx", "the language model failed")


def said(text="", *calls):
    """A turn; each call is a tool's name and its arguments."""
    wanted = tuple(
        ToolCall(f"call_{n}", name, arguments if isinstance(arguments, str) else dumped(arguments))
        for n, (name, arguments) in enumerate(calls)
    )
    return Reply(text, wanted, USED, "a-model")


def dumped(value):
    return json.dumps(value, ensure_ascii=False)


class Script:
    """Asks nobody: gives the next turn of its node, or of `anywhere`; the last one for ever."""

    def __init__(self, *anywhere, **nodes):
        self._turns = {"": list(anywhere)} | {node: list(turns) for node, turns in nodes.items()}
        self.asked = []

    async def ask(self, messages, run, *, node, offer=NOTHING, tier="usual", on_text=None):
        run.step()
        self.asked.append({"node": node, "messages": list(messages), "offer": offer, "tier": tier})
        turns = self._turns.get(node) or self._turns[""]
        turn = turns.pop(0) if len(turns) > 1 else turns[0]
        if callable(turn):
            turn = await turn(messages)
        if isinstance(turn, Exception):
            raise turn
        with run.timeline.span(node):
            run.charge(turn.usage)
        if on_text is not None and turn.text:
            on_text(turn.text)
        return turn

    def of(self, node):
        return [ask for ask in self.asked if ask["node"] == node]


class Belt:
    """Searches a dictionary, and tells the time."""

    def __init__(self, **known):
        self._known = known
        self.called = []

    def schemas(self):
        query = {"type": "object", "properties": {"query": {"type": "string"}}}
        return [
            {"type": "function", "function": {"name": name, "parameters": parameters}}
            for name, parameters in (
                ("search", query | {"required": ["query"]}),
                ("clock", {"type": "object", "properties": {}}),
            )
        ]

    async def call(self, calls, run):
        for call in calls:
            run.step()
            self.called.append((call.name, call.arguments))
        return [
            {"role": "tool", "tool_call_id": call.id, "content": await self._result(call)}
            for call in calls
        ]

    async def _result(self, call):
        await asyncio.sleep(0.0)
        if call.name == "clock":
            return "noon"
        try:
            return self._known[json.loads(call.arguments)["query"]]
        except (ValueError, KeyError, TypeError) as error:
            return f"error: {error!r}"


def a_run(*, deadline_s=10.0, spans=None, **budget):
    timeline = Timeline([] if spans is None else spans)
    return Run("r", time.monotonic() + deadline_s, timeline, Budget(**{"steps": 100} | budget))
