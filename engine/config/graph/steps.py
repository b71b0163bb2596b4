"""The kinds of steps that a graph may hold."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from engine.config.agents import Agent
from engine.config.frozen import Frozen
from engine.config.graph.kinds import Kind
from engine.config.graph.reading import (
    Known,
    Read,
    in_arguments,
    in_condition,
    in_template,
    kind_of,
)

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", examples=["answer"])]
Ref = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[A-Za-z0-9_]+)*$", examples=["answer.text"])
]
"""Where a value comes from: `input.question`, `answer.text`, `check.result.score`."""
Template = str
"""Text in which `{{ answer.text }}` stands for a value, in Jinja's language."""
Expr = str
"""A condition in Jinja's language: `classify.intent == "refund"`."""


class Undo(Frozen):
    """What takes a step's effect back when a later step fails."""

    tool: str
    arguments: dict[str, Ref] = Field({})


class Step(Frozen):
    """What every step may say."""

    enabled: bool = True
    """Off: the step is skipped, and so is what needs it."""
    when: Expr | None = None
    """The step is skipped where this is false, and so is what needs it."""
    after: tuple[Name, ...] = ()
    """Steps that must have ended first although nothing of theirs is read."""
    timeout_s: float | None = Field(None, gt=0.0)
    """The step's own time; the request's deadline holds anyway."""
    on_error: Literal["terminate", "skip", "fallback", "person"] = "terminate"
    """`skip` goes on without the step, `fallback` with `instead` as its text, and `person` asks
    whether to try again."""
    instead: str | None = None
    """The text that stands for the step's own when it failed."""

    def reads(self) -> Iterator[Read]:
        """What it reads of the graph that it stands in.

        Raises:
            MisreadError: A template or a condition can't be read.
        """
        if self.when is not None:
            yield from in_condition(self.when, "when")
        yield from self._reads()

    def gives(self, known: Known) -> dict[str, Kind]:
        """Its outputs by name; `known` holds those of the other steps."""
        return {"text": "text"}

    def _reads(self) -> Iterator[Read]:
        yield from ()


class ModelStep(Step):
    """One question to a language model."""

    type: Literal["model"] = "model"
    system: str = ""
    """A key of `prompts`; empty for no system message."""
    say: Template
    """The user's message."""
    image: Ref | None = None
    """A URL or a data URL of an image that goes with the message."""
    tier: Literal["usual", "cheap", "strong"] = "usual"
    history: bool = False
    """Put the conversation so far between the system message and this one."""
    fields: dict[Name, Kind] = Field({})
    """What the answer must hold when it is read as JSON; each becomes an output."""
    client_tools: bool = False
    """Offer the model the tools that a chat completion brings, and hand its calls on to the
    client; only for the step whose text is the answer."""
    stream: bool = True
    """Hand the text on as it arrives, where a client listens."""

    def gives(self, known: Known) -> dict[str, Kind]:
        """The answer, who gave it, and what was asked for in it."""
        return {"text": "text", "model": "text"} | self.fields

    def _reads(self) -> Iterator[Read]:
        yield from in_template(self.say, "say")
        if self.image is not None:
            yield Read(("image",), self.image, "text")


class AgentStep(Agent, Step):
    """An agent: a language model that may call tools, or several of them together."""

    type: Literal["agent"] = "agent"
    system: str = ""
    say: Template
    tools: tuple[str, ...] = ()
    intent: Ref | None = None
    """What is wanted, for `tools.prefetch`: the reads that are likely then begin at once."""
    history: bool = False
    stream: bool = True
    """Hand the text on as it arrives, where a client listens."""

    def gives(self, known: Known) -> dict[str, Kind]:
        """The answer and how it came about."""
        return {"text": "text", "status": "text", "steps": "integer"}

    def _reads(self) -> Iterator[Read]:
        yield from in_template(self.say, "say")
        if self.intent is not None:
            yield Read(("intent",), self.intent, "text")


class RetrieveStep(Step):
    """What the corpus says about a question."""

    type: Literal["retrieve"] = "retrieve"
    query: Ref
    top_k: int = Field(4, ge=1, le=50)

    def gives(self, known: Known) -> dict[str, Kind]:
        """The passages, and all of them as one text."""
        return {"text": "text", "passages": "list[object]", "count": "integer"}

    def _reads(self) -> Iterator[Read]:
        yield Read(("query",), self.query, "text")


class IntentStep(Step):
    """What a text wants, by keywords and likeness to examples."""

    type: Literal["intent"] = "intent"
    text: Ref
    keywords: dict[Name, tuple[str, ...]] = Field({})
    examples: dict[Name, tuple[str, ...]] = Field({})
    threshold: float = Field(0.4, ge=0.0, le=1.0)
    """Below this confidence the intent is `otherwise`."""
    otherwise: Name = "other"

    def gives(self, known: Known) -> dict[str, Kind]:
        """What is wanted, how sure that is, and what told it."""
        return {"intent": "text", "confidence": "number", "by": "text"}

    def _reads(self) -> Iterator[Read]:
        yield Read(("text",), self.text, "text")


class ToolStep(Step):
    """One call of a tool, without a language model."""

    type: Literal["tool"] = "tool"
    tool: str
    arguments: dict[str, Ref] = Field({})
    constants: dict[str, JsonValue] = Field({})
    """Arguments that are always the same."""
    fields: dict[Name, Kind] = Field({})
    """What the result must hold when it is read as JSON; each becomes an output."""
    undo: Undo | None = None

    def gives(self, known: Known) -> dict[str, Kind]:
        """The result, and what was asked for in it."""
        return {"text": "text"} | self.fields

    def _reads(self) -> Iterator[Read]:
        yield from in_arguments(self.arguments, "arguments")
        undo = {} if self.undo is None else self.undo.arguments
        for read in in_arguments(undo, "undo"):
            if not read.ref.startswith("self."):
                yield read._replace(where=("undo", "arguments", read.where[-1]))


class CallStep(Step):
    """A Python function, sync or async, given what its parameters are named after."""

    type: Literal["call"] = "call"
    call: str = Field(pattern=r"^[\w.]+:\w+$", examples=["my_package.checks:risk"])
    arguments: dict[str, Ref] = Field({})
    returns: Kind = "any"
    effect: Literal["read", "write"] = "read"
    retries: int = Field(0, ge=0, le=10)
    """Further tries after a failure that may pass; only where nothing is changed."""

    def gives(self, known: Known) -> dict[str, Kind]:
        """What the function returned."""
        return {"result": self.returns}

    def _reads(self) -> Iterator[Read]:
        yield from in_arguments(self.arguments, "arguments")


class TranscribeStep(Step):
    """What is said in a recording."""

    type: Literal["transcribe"] = "transcribe"
    audio: Ref
    """A data URL, such as `data:audio/wav;base64,...`."""
    model: str = "whisper-1"

    def _reads(self) -> Iterator[Read]:
        yield Read(("audio",), self.audio, "text")


class TextStep(Step):
    """A text put together from others."""

    type: Literal["text"] = "text"
    text: Template

    def _reads(self) -> Iterator[Read]:
        yield from in_template(self.text, "text")


class FirstStep(Step):
    """The first of several values whose step was not skipped: where branches meet again."""

    type: Literal["first"] = "first"
    of: tuple[Ref, ...] = Field(min_length=2)

    def gives(self, known: Known) -> dict[str, Kind]:
        """The value, of the kind that all of them have."""
        kinds = {kind_of(ref, known) or "any" for ref in self.of}
        return {"value": kinds.pop() if len(kinds) == 1 else "any"}

    def _reads(self) -> Iterator[Read]:
        for place, ref in enumerate(self.of):
            yield Read(("of", place), ref, optional=True, whole=False)


class PersonStep(Step):
    """A person decides; the request waits, however long, and goes on where it stood."""

    type: Literal["person"] = "person"
    ask: Template
    options: tuple[Literal["approve", "reject", "answer"], ...] = ("approve", "reject")

    def gives(self, known: Known) -> dict[str, Kind]:
        """What was decided, and why."""
        return {"decision": "text", "answer": "text", "reason": "text"}

    def _reads(self) -> Iterator[Read]:
        yield from in_template(self.ask, "ask")
