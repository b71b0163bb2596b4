"""Where a step stands: in which request, under which name, with which parts at hand."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from engine.config.graph.steps import AgentStep, IntentStep
from engine.errors import ConfigError
from engine.workflow.parts import NOTHING, Asker, Offer, OnText, Toolbelt
from engine.workflow.plan.journal import Decided, Journal, Undoing
from engine.workflow.reply import Message
from engine.workflow.run import Run

Values = dict[str, dict[str, Any]]
"""What the steps gave so far, by step and output; `input` is the first of them."""
Act = Callable[[Values, "Place"], Awaitable[dict[str, Any]]]
"""What a step does: its outputs from the values before it."""


class Outcome(Protocol):
    """What an agent came to."""

    @property
    def text(self) -> str:
        """The answer."""

    @property
    def status(self) -> str:
        """`answered`, `degraded` or `handed_over`."""

    @property
    def steps(self) -> int:
        """Turns of the language model."""


class Agent(Protocol):
    """Answers with the help of tools; what the pattern is, is its own affair."""

    async def run(
        self, messages: Sequence[Message], run: Run, *, on_text: OnText | None = None
    ) -> Outcome:
        """Answer the last of the messages."""
        ...


Early = Callable[[str, str, Run], AbstractAsyncContextManager[None]]
"""Reads ahead for an intent and a question, for as long as the block lasts."""


class Intents(Protocol):
    """Tells what a text wants."""

    async def intent(self, text: str) -> tuple[str, float, str]:
        """The intent, the confidence in [0, 1], and what told it."""
        ...


class Find(Protocol):
    """Finds what a corpus says."""

    async def find(self, query: str, run: Run, top_k: int) -> Sequence[Mapping[str, Any]]:
        """Passages with `topic`, `text` and `score`, best first."""
        ...


@dataclass(frozen=True)
class Parts:
    """What the steps of one variant work with; a graph that needs none of one may lack it."""

    asker: Asker | None = None
    find: Find | None = None
    prompts: Mapping[str, str] = field(default_factory=dict)
    tools: Callable[[Sequence[str]], Toolbelt] | None = None
    """The belt that holds these tools."""
    changes: Callable[[str], bool] = lambda tool: True
    """Whether a tool changes something outside; what isn't known is taken to."""
    agent: Callable[[AgentStep], Agent] | None = None
    transcribe: Callable[[bytes, Run, str], Awaitable[str]] | None = None
    """What is said in a recording, by a model of this name."""
    early: Callable[[AgentStep], Early] | None = None
    """What starts an agent's likely reads."""
    intents: Callable[[IntentStep], Intents] | None = None
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    """Python functions by the name that a `call` step gives, before any import is tried."""


@dataclass(frozen=True)
class Said:
    """What the client says around its question."""

    before: Sequence[Message] = ()
    """The conversation until then."""
    since: Sequence[Message] = ()
    """The tools that the answering step wanted of the client, and what they gave."""
    offer: Offer = NOTHING
    """The client's own tools."""


NOTHING_SAID = Said()


@dataclass(frozen=True, slots=True)
class Place:
    """One request in one graph."""

    run: Run
    journal: Journal | None = None
    kept: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """What an earlier try of this request has finished, by path."""
    decided: Mapping[str, Decided] = field(default_factory=dict)
    """What people said, by the question's id."""
    begun: Mapping[str, int] = field(default_factory=dict)
    """How often an effect began that was cut off, by path."""
    path: str = ""
    """Of the graph that it stands in: empty, or such as `each[3].`."""
    said: Said = NOTHING_SAID
    owed: dict[str, Undoing] = field(default_factory=dict)
    """What has to be taken back should the request fail, by path in the order of the effects."""

    def inside(self, name: str) -> "Place":
        """The place of a sub-graph."""
        return replace(self, path=f"{self.path}{name}.")


_TURN = re.compile(r"\[\d+\]")


def shown(path: str) -> str:
    """A step's path without its turns and items, so that the same steps are counted together."""
    return _TURN.sub("", path) if "[" in path else path


T = TypeVar("T")


def needed(part: T | None, what: str) -> T:
    """A part that the graph can't do without.

    Raises:
        ConfigError: It was not given.
    """
    if part is None:
        raise ConfigError(f"this graph needs {what}, which it was not given")
    return part
