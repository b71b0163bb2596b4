"""Steps that hold a graph of their own, and the graph itself."""

from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from engine.config.frozen import Frozen
from engine.config.graph.kinds import Kind, list_of
from engine.config.graph.reading import Known, Read, kind_of
from engine.config.graph.steps import (
    AgentStep,
    CallStep,
    Expr,
    FirstStep,
    IntentStep,
    ModelStep,
    Name,
    PersonStep,
    Ref,
    RetrieveStep,
    Step,
    TextStep,
    ToolStep,
    TranscribeStep,
)


class MapStep(Step):
    """A sub-graph for each item of a list; inside it `input.item` and `input.index`."""

    type: Literal["map"] = "map"
    over: Ref
    at_once: int = Field(8, ge=1, le=256)
    given: dict[Name, Ref] = Field({})
    """Further inputs of the sub-graph."""
    failed_items: Literal["terminate", "skip"] = "terminate"
    each: "Graph"

    def gives(self, known: Known) -> dict[str, Kind]:
        """The answers of the sub-graph in the list's order, without the skipped ones."""
        return {"values": list_of(self.each.gives()), "count": "integer"}

    def _reads(self) -> Iterator[Read]:
        yield Read(("over",), self.over, "list[any]", whole=False)
        yield from _inputs(self.given, self.each)


class LoopStep(Step):
    """A sub-graph again and again, until a condition holds or the bound is reached."""

    type: Literal["loop"] = "loop"
    most: int = Field(ge=1, le=1_000)
    """Turns at most: a loop without a bound is no loop here."""
    until: Expr
    """Over the sub-graph's steps, after each turn."""
    given: dict[Name, Ref] = Field({})
    """The first turn's inputs."""
    carry: dict[Name, Ref] = Field({})
    """Inputs of the next turn, from this turn's steps; what isn't carried stays as it was."""
    body: "Graph"

    def gives(self, known: Known) -> dict[str, Kind]:
        """The last turn's answer, and how many turns there were."""
        return {"value": self.body.gives(), "turns": "integer"}

    def _reads(self) -> Iterator[Read]:
        yield from _inputs(self.given, self.body)


class GraphStep(Step):
    """A sub-graph as one step."""

    type: Literal["graph"] = "graph"
    given: dict[Name, Ref] = Field({})
    body: "Graph"

    def gives(self, known: Known) -> dict[str, Kind]:
        """The sub-graph's answer."""
        return {"value": self.body.gives()}

    def _reads(self) -> Iterator[Read]:
        yield from _inputs(self.given, self.body)


AnyStep: TypeAlias = Annotated[
    ModelStep
    | AgentStep
    | RetrieveStep
    | IntentStep
    | ToolStep
    | CallStep
    | TranscribeStep
    | TextStep
    | FirstStep
    | PersonStep
    | MapStep
    | LoopStep
    | GraphStep,
    Field(discriminator="type"),
]


class Graph(Frozen):
    """Steps that run as soon as what they read is there."""

    input: dict[Name, Kind] = Field({"question": "text"})
    """What a request brings."""
    nodes: dict[Name, AnyStep] = Field(min_length=1)
    output: Ref
    """What the request is answered with."""

    def gives(self) -> Kind:
        """The kind of its answer, as far as it is known."""
        return kind_of(self.output, self.known()) or "any"

    def known(self) -> dict[str, dict[str, Kind]]:
        """What can be read in it, by the first word of a reference."""
        found: dict[str, dict[str, Kind]] = {"input": dict(self.input)}
        # A `first` knows its kind only after its sources: twice is enough for what names them.
        for _ in range(2):
            found |= {name: step.gives(found) for name, step in self.nodes.items()}
        return found


def _inputs(given: dict[Name, Ref], body: Graph) -> Iterator[Read]:
    for name, ref in given.items():
        wanted = body.input.get(name, "any")
        yield Read(("given", name), ref, wanted, whole=wanted in {"any", "object"})


for _step in (MapStep, LoopStep, GraphStep, Graph):
    _step.model_rebuild()
