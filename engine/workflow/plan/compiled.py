"""A graph as an operator wrote it, made ready to run."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from engine.config.graph.check import graph_problems, needs
from engine.config.graph.nested import AnyStep, Graph, GraphStep, LoopStep, MapStep
from engine.config.graph.steps import (
    AgentStep,
    CallStep,
    FirstStep,
    IntentStep,
    ModelStep,
    PersonStep,
    RetrieveStep,
    TextStep,
    ToolStep,
    TranscribeStep,
)
from engine.errors import ConfigError, DeadlineError
from engine.workflow.failure import StepError
from engine.workflow.plan.acts import (
    call_act,
    first_act,
    intent_act,
    known_by_key,
    person_act,
    retrieve_act,
    text_act,
    tool_act,
    transcribe_act,
    undo_of,
)
from engine.workflow.plan.asking import agent_act, model_act
from engine.workflow.plan.execute import Plan, Task, WaitingError, first_failure
from engine.workflow.plan.journal import Question
from engine.workflow.plan.language import holds, taken
from engine.workflow.plan.place import Act, Parts, Place, Values

PAID = ("model", "agent", "tool", "call", "person", "transcribe")
"""Kinds whose outputs are kept: doing them again would cost, or change something twice."""


class Nothing(NamedTuple):
    """The sub-graph of an item that failed and was left out."""


NOTHING = Nothing()


def compiled(graph: Graph, parts: Parts) -> Plan:
    """The plan of a graph.

    Raises:
        ConfigError: The graph is impossible, or needs a part that it was not given.
    """
    if problems := list(graph_problems(graph)):
        raise ConfigError("\n".join(str(problem) for problem in problems))
    return _plan(graph, parts)


def _plan(graph: Graph, parts: Parts) -> Plan:
    places = {name: index for index, name in enumerate(graph.nodes)}
    tasks = [_task(name, step, graph, parts, places) for name, step in graph.nodes.items()]
    owner = graph.output.split(".")[0]
    take = taken(graph.output)
    return Plan(tasks, lambda values: take(values) if owner in values else None)


def _task(name: str, step: AnyStep, graph: Graph, parts: Parts, places: dict[str, int]) -> Task:
    reads = [(read.ref.split(".")[0], read.optional) for read in step.reads()]
    required = {one for one, _ in reads} - {one for one, is_optional in reads if is_optional}
    awaited = needs(graph, name)
    return Task(
        name=name,
        kind=step.type,
        act=_act(name, step, parts),
        needs=tuple(places[one] for one in awaited if one in required),
        awaits=tuple(places[one] for one in awaited),
        when=None if step.when is None else holds(step.when),
        enabled=step.enabled,
        timeout_s=step.timeout_s,
        on_error=step.on_error,
        instead=step.instead,
        gives_text="text" in step.gives({}) and _text_suffices(name, graph),
        lasting=step.type in PAID,
        effect=_has_effect(step, parts),
        known_by_key=isinstance(step, ToolStep) and _known_by_key(step, parts),
        undo=undo_of(name, step) if isinstance(step, ToolStep) else None,
    )


def _text_suffices(name: str, graph: Graph) -> bool:
    """Whether nobody reads more of a step than its text."""
    refs = [read.ref for step in graph.nodes.values() for read in step.reads()]
    found = [ref.split(".") for ref in (*refs, graph.output)]
    return all(first != name or rest[:1] in ([], ["text"]) for first, *rest in found)


def _known_by_key(step: ToolStep, parts: Parts) -> bool:
    if step.undo is not None:
        # Asked for now, so that a request doesn't find out when it has something to take back.
        known_by_key(step.undo.tool, parts)
    return known_by_key(step.tool, parts)


def _has_effect(step: AnyStep, parts: Parts) -> bool:
    if isinstance(step, ToolStep):
        return parts.changes(step.tool)
    return isinstance(step, CallStep) and step.effect == "write"


def _act(name: str, step: AnyStep, parts: Parts) -> Act:  # noqa: C901, PLR0912 - one line a kind
    match step:
        case ModelStep():
            return model_act(name, step, parts)
        case AgentStep():
            return agent_act(name, step, parts)
        case RetrieveStep():
            return retrieve_act(step, parts)
        case IntentStep():
            return intent_act(step, parts)
        case ToolStep():
            return tool_act(name, step, parts)
        case CallStep():
            return call_act(step, parts)
        case TextStep():
            return text_act(step)
        case TranscribeStep():
            return transcribe_act(step, parts)
        case FirstStep():
            return first_act(step)
        case PersonStep():
            return person_act(name, step)
        case MapStep():
            return _map_act(name, step, parts)
        case LoopStep():
            return _loop_act(name, step, parts)
        case GraphStep():
            return _graph_act(name, step, parts)


def _graph_act(name: str, step: GraphStep, parts: Parts) -> Act:
    plan = _plan(step.body, parts)
    given = {one: taken(ref) for one, ref in step.given.items()}

    async def act(values: Values, place: Place) -> dict[str, Any]:
        inputs = {one: take(values) for one, take in given.items()}
        execution = await plan.run(inputs, place.inside(name))
        return {"value": plan.answer(execution.values)}

    return act


def _map_act(name: str, step: MapStep, parts: Parts) -> Act:
    plan, over = _plan(step.each, parts), taken(step.over)
    given = {one: taken(ref) for one, ref in step.given.items()}

    async def act(values: Values, place: Place) -> dict[str, Any]:
        items = over(values)
        if not isinstance(items, list | tuple):
            raise StepError("wrong_type", f"`{step.over}` is {type(items).__name__}, no list")
        inputs = {one: take(values) for one, take in given.items()}
        waiting: list[Question] = []
        answers: list[object] = [NOTHING] * len(items)

        async def one(index: int, item: object) -> None:
            here = place.inside(f"{name}[{index}]")
            try:
                execution = await plan.run({**inputs, "item": item, "index": index}, here)
            except WaitingError as asked:
                waiting.extend(asked.questions)
            except (StepError, DeadlineError):
                if step.failed_items != "skip":
                    raise
            else:
                answers[index] = plan.answer(execution.values)

        await _each(items, step.at_once, one)
        if waiting:
            raise WaitingError(waiting)
        found = [answer for answer in answers if answer is not NOTHING and answer is not None]
        return {"values": found, "count": len(found)}

    return act


async def _each(
    items: Sequence[Any], at_once: int, one: Callable[[int, Any], Awaitable[None]]
) -> None:
    """Go through a list with few tasks, however long it is."""
    left = iter(enumerate(items))

    async def work() -> None:
        for index, item in left:
            await one(index, item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(items))):
                group.create_task(work())
    except BaseExceptionGroup as failures:
        raise first_failure(failures) from None


def _loop_act(name: str, step: LoopStep, parts: Parts) -> Act:
    plan, until = _plan(step.body, parts), holds(step.until)
    given = {one: taken(ref) for one, ref in step.given.items()}
    carry = {one: (ref.split(".")[0], taken(ref)) for one, ref in step.carry.items()}

    async def act(values: Values, place: Place) -> dict[str, Any]:
        inputs: dict[str, Any] = {one: take(values) for one, take in given.items()}
        answer: object = None
        for turn in range(1, step.most + 1):
            here = place.inside(f"{name}[{turn}]")
            execution = await plan.run(inputs | {"turn": turn}, here)
            answer = plan.answer(execution.values)
            if until(execution.values):
                return {"value": answer, "turns": turn}
            found = execution.values
            inputs |= {one: take(found) for one, (owner, take) in carry.items() if owner in found}
        return {"value": answer, "turns": step.most}

    return act
