"""Small graphs and what runs them, for tests."""

import time

from engine.config.graph.nested import Graph
from engine.workflow.plan.compiled import compiled
from engine.workflow.plan.place import Parts, Place
from engine.workflow.plan.runner import Runner
from engine.workflow.run import Run
from engine.workflow.spans import Timeline


def graph(nodes, output, **given):
    return Graph.model_validate(
        {"input": given or {"question": "text"}, "nodes": nodes, "output": output}
    )


def call(name, *, returns="any", **arguments):
    settings = {key: arguments.pop(key) for key in SETTINGS if key in arguments}
    one = {"type": "call", "call": f"test:{name}", "arguments": arguments, "returns": returns}
    return one | settings


SETTINGS = (
    "when",
    "after",
    "on_error",
    "instead",
    "timeout_s",
    "effect",
    "retries",
    "enabled",
)


def parts(**functions):
    return Parts(functions={f"test:{name}": function for name, function in functions.items()})


def a_run(run_id="r", *, seconds=10.0, spans=None, emit=None):
    run = Run(run_id, time.monotonic() + seconds, Timeline([] if spans is None else spans))
    if emit is not None:
        run.emit = emit
    return run


async def answer(flow, given, having, **run):
    plan = compiled(flow, having)
    execution = await plan.run(given, Place(a_run(**run)))
    return plan.answer(execution.values)


def runner(flow, having, journal=None):
    return Runner(compiled(flow, having), having, journal)


class Belt:
    """A tool belt of Python functions; a failing one answers with an error, as any belt does."""

    def __init__(self, tools, names):
        self._tools = {name: tools[name] for name in names}

    def schemas(self):
        return [
            {
                "type": "function",
                "function": {"name": name, "parameters": {"properties": properties(tool)}},
            }
            for name, tool in self._tools.items()
        ]

    async def call(self, calls, run):
        import json

        messages = []
        for one in calls:
            try:
                content = self._tools[one.name](**json.loads(one.arguments))
            except ValueError as error:
                content = f"error: {error}"
            messages.append({"role": "tool", "tool_call_id": one.id, "content": content})
        return messages


def properties(tool):
    names = tool.__code__.co_varnames[: tool.__code__.co_argcount]
    return {name: {} for name in names}


def with_tools(*effects, **tools):
    """Parts with these tools, of which `effects` change something."""
    return Parts(
        tools=lambda names: Belt(tools, names),
        changes=lambda tool: tool in effects,
    )
