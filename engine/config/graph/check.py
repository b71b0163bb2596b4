"""Everything that can be wrong with a graph, found when it is loaded."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from engine.config.graph.kinds import fits, is_list
from engine.config.graph.nested import AnyStep, Graph, GraphStep, LoopStep, MapStep
from engine.config.graph.reading import Known, MisreadError, Read, in_condition, kind_of
from engine.config.graph.steps import (
    CallStep,
    FirstStep,
    IntentStep,
    ModelStep,
    PersonStep,
    ToolStep,
)
from engine.config.problem import Problem, Where, did_you_mean, listed

RESERVED = ("input", "self")
DEEPEST = 8
"""Graphs within graphs."""


def graph_problems(graph: Graph, *, depth: int = 1) -> Iterator[Problem]:
    """Unknown steps, missing inputs, cycles and values of the wrong kind, at their places."""
    if depth > DEEPEST:
        yield Problem((), f"graphs within graphs, {depth} deep; at most {DEEPEST}")
        return
    if taken := [name for name in graph.nodes if name in RESERVED]:
        for name in taken:
            why = f"no step may be called `{name}`; give it another name"
            yield Problem(("nodes", name), why, at_key=True)
        return
    found: dict[str, list[Read]] = {}
    known = graph.known()
    for name, step in graph.nodes.items():
        where: Where = ("nodes", name)
        try:
            found[name] = list(step.reads())
        except MisreadError as error:
            found[name] = []
            yield Problem((*where, *error.where), error.why)
        inner = [
            *(one for read in found[name] for one in _read_problems(read, known)),
            *(one for read in found[name] for one in _fallback_problems(read, graph)),
            *_step_problems(name, step, graph),
            *_kind_problems(step, known),
            *_sub_problems(step, depth),
        ]
        yield from (one.under(where) for one in inner)
    output = Read(("output",), graph.output, whole=False)
    yield from _read_problems(output, known)
    yield from _fallback_problems(output, graph)
    yield from _cycle(graph, found)


def needs(graph: Graph, name: str) -> list[str]:
    """The steps that must have ended before this one, in the graph's order."""
    step = graph.nodes[name]
    wanted = {read.ref.split(".")[0] for read in step.reads()} | {*step.after}
    return [one for one in graph.nodes if one in wanted]


def steps_in(graph: Graph, where: Where = ()) -> Iterator[tuple[Where, AnyStep]]:
    """Every step of a graph and of the graphs inside it, with its place."""
    for name, step in graph.nodes.items():
        here = (*where, "nodes", name)
        yield here, step
        if isinstance(step, MapStep):
            yield from steps_in(step.each, (*here, "each"))
        elif isinstance(step, LoopStep | GraphStep):
            yield from steps_in(step.body, (*here, "body"))


def _read_problems(read: Read, known: Known) -> Iterator[Problem]:
    ref, (first, *rest) = read.ref, read.ref.split(".")
    fields = known.get(first)
    if fields is None:
        hint = did_you_mean(first, known)
        yield Problem(read.where, f"got `{ref}`, but there is no step `{first}`; {hint}")
    elif rest and rest[0] not in fields:
        owner = "the input holds" if first == "input" else f"step `{first}` gives"
        hint = did_you_mean(f"{first}.{rest[0]}", [f"{first}.{field}" for field in fields])
        yield Problem(read.where, f"got `{ref}`, but {owner} no `{rest[0]}`; {hint}")
    elif not rest and not read.whole:
        names = listed(f"{first}.{field}" for field in fields)
        yield Problem(read.where, f"got `{ref}`, which is a whole step; name one of {names}")
    elif (kind := kind_of(ref, known)) is None:
        yield Problem(read.where, f"got `{ref}`, but `{first}.{rest[0]}` is {fields[rest[0]]}")
    elif not fits(kind, read.wanted):
        wanted = "a list" if is_list(read.wanted) else read.wanted
        yield Problem(read.where, f"got `{ref}`, which is {kind}; name {wanted}")


def _fallback_problems(read: Read, graph: Graph) -> Iterator[Problem]:
    first, *rest = read.ref.split(".")
    step = graph.nodes.get(first)
    if step is not None and step.on_error == "fallback" and rest and rest[0] != "text":
        why = f"step `{first}` may fall back to a text alone; name `{first}.text`"
        yield Problem(read.where, f"got `{read.ref}`, but {why}")


def _step_problems(name: str, step: AnyStep, graph: Graph) -> Iterator[Problem]:
    for place, other in enumerate(step.after):
        if other not in graph.nodes:
            hint = did_you_mean(other, [one for one in graph.nodes if one != name])
            yield Problem(("after", place), f"got {other!r}, which is no step; {hint}")
    if step.on_error == "fallback" and step.instead is None:
        yield Problem(("on_error",), "got 'fallback' without `instead`; add the text to fall to")
    if step.on_error == "fallback" and "text" not in step.gives({}):
        why = f"a step of type `{step.type}` gives no text that another could stand for"
        yield Problem(("on_error",), f"got 'fallback', but {why}; write skip or terminate")


def _kind_problems(step: AnyStep, known: Known) -> Iterator[Problem]:
    match step:
        case FirstStep():
            kinds = {kind_of(ref, known) for ref in step.of} - {None, "any"}
            if len(kinds) > 1:
                mixed = " and ".join(sorted(str(kind) for kind in kinds))
                yield Problem(("of",), f"got {mixed}; name values of one kind")
        case CallStep() if step.retries and step.effect == "write":
            why = "a step that changes something isn't tried again; write 0 or `effect: read`"
            yield Problem(("retries",), f"got {step.retries}; {why}")
        case ToolStep():
            yield from _field_problems(step)
            yield from _tool_problems(step, known)
        case ModelStep():
            yield from _field_problems(step)
        case IntentStep() if not {**step.keywords, **step.examples}:
            yield Problem(("keywords",), "got neither keywords nor examples; write some")
        case IntentStep() if len(step.examples) == 1:
            why = "got examples of one intent, which tell nothing apart; write some for another"
            yield Problem(("examples",), why)
        case PersonStep() if not step.options:
            yield Problem(("options",), "got none; name approve, reject or answer")
        case _:
            pass


def _tool_problems(step: ToolStep, known: Known) -> Iterator[Problem]:
    for both in sorted({*step.arguments} & {*step.constants}):
        why = "given twice: here and under `arguments`; keep one"
        yield Problem(("constants", both), why, True)
    for name, ref in ({} if step.undo is None else step.undo.arguments).items():
        if ref.split(".")[0] == "self":
            read = Read(("undo", "arguments", name), ref)
            yield from _read_problems(read, {"self": step.gives(known)})


def _field_problems(step: ModelStep | ToolStep) -> Iterator[Problem]:
    own = step.model_copy(update={"fields": {}}).gives({})
    for name in step.fields.keys() & own.keys():
        why = f"every step of type `{step.type}` gives `{name}` already; choose another name"
        yield Problem(("fields", name), why, True)


def _sub_problems(step: AnyStep, depth: int) -> Iterator[Problem]:
    match step:
        case MapStep():
            yield from _body_problems(step.each, "each", {"item", "index"}, step.given, depth)
        case LoopStep():
            yield from _body_problems(step.body, "body", {"turn"}, step.given, depth)
            yield from _loop_problems(step)
        case GraphStep():
            yield from _body_problems(step.body, "body", set(), step.given, depth)
        case _:
            pass


def _body_problems(
    body: Graph, setting: str, own: set[str], given: Mapping[str, str], depth: int
) -> Iterator[Problem]:
    for wanted in sorted(body.input.keys() - own - given.keys()):
        why = f"the sub-graph needs `{wanted}`, which nothing gives; add it to `given`"
        yield Problem((setting, "input", wanted), why, True)
    for extra in sorted(given.keys() - body.input.keys()):
        why = f"the sub-graph has no input `{extra}`; {did_you_mean(extra, body.input)}"
        yield Problem(("given", extra), why, True)
    for problem in graph_problems(body, depth=depth + 1):
        yield problem.under((setting,))


def _loop_problems(step: LoopStep) -> Iterator[Problem]:
    known = step.body.known()
    try:
        for read in in_condition(step.until, "until"):
            yield from _read_problems(read, known)
    except MisreadError as error:
        yield Problem(error.where, error.why)
    for name, ref in step.carry.items():
        if name not in step.body.input:
            why = f"the sub-graph has no input `{name}`; {did_you_mean(name, step.body.input)}"
            yield Problem(("carry", name), why, True)
        else:
            read = Read(("carry", name), ref, step.body.input[name], whole=False)
            yield from _read_problems(read, known)


def _cycle(graph: Graph, found: Mapping[str, list[Read]]) -> Iterator[Problem]:
    order: dict[str, set[str]] = {}
    for name, step in graph.nodes.items():
        read = {one.ref.split(".")[0] for one in found[name]}
        order[name] = {one for one in (*read, *step.after) if one in graph.nodes}
    try:
        TopologicalSorter(order).prepare()
    except CycleError as error:
        around: list[str] = error.args[1]
        way = " → ".join(f"`{name}`" for name in reversed(around))
        why = f"{way} wait for each other; use a step of type `loop`, which has a bound"
        yield Problem(("nodes", around[0]), why, True)
