"""A request on its way into a workflow, and what it comes to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine.workflow.parts import NOTHING, Offer
from engine.workflow.plan.journal import Question
from engine.workflow.reply import Message, ToolCall, total
from engine.workflow.run import Emit, Run, unheard
from engine.workflow.spans import Span, Timeline

TOLD = ("node", "kind", "status", "error", "duration_s")
"""Of a span, to whoever listens."""


@dataclass(frozen=True)
class Asked:
    """One request."""

    id: str
    messages: Sequence[Message]
    """The conversation as the client sent it; the last one is what is asked."""
    deadline: float
    """On the monotonic clock."""
    given: Mapping[str, Any] | None = None
    """Named inputs, in place of the last message's text."""
    conversation: str = ""
    """Names the conversation whose state is kept; empty for none."""
    variant: str = ""
    """The variant that answers, for a request that goes on later."""
    trace: Mapping[str, str] = field(default_factory=dict)
    """Headers that tell a model's endpoint of the caller's trace; none without one."""
    offer: Offer = NOTHING
    """The client's own tools, which the answer may ask it to call."""
    emit: Emit = unheard
    spans: list[Span] = field(default_factory=list)
    """Written as they end, so a failed request leaves its own too."""


@dataclass(frozen=True)
class Answer:
    """What a request came to; None where the endpoint or the price list doesn't say."""

    text: str
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    model: str
    cache_hit: bool
    """Something of it was remembered: the question's vector, or a whole answer."""
    spans: tuple[Span, ...]
    output: Any = None
    """The answer as the graph gave it, where it is no text."""
    degraded: tuple[str, ...] = ()
    """What was given up on the way, such as the usual model."""
    questions: tuple[Question, ...] = ()
    """What a person has to say before there is an answer."""
    tool_calls: tuple[ToolCall, ...] = ()
    """What the client has to call before there is an answer."""


def timeline_of(asked: Asked) -> Timeline:
    """A request's timeline, which tells of each node that ends where somebody listens."""
    emit = asked.emit
    if emit is unheard:
        return Timeline(asked.spans)
    return Timeline(asked.spans, lambda span: emit("node", {k: span[k] for k in TOLD if k in span}))


def answered(
    text: str,
    run: Run,
    spans: Sequence[Span],
    *,
    output: object = None,
    questions: tuple[Question, ...] = (),
) -> Answer:
    """The answer, with what the request took until then."""
    usage = total(run.usages)
    models = [span["model"] for span in spans if span.get("model") and span["status"] == "ok"]
    return Answer(
        text=text,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cost_usd=usage.cost_usd,
        model=models[-1] if models else "",
        cache_hit=any(span.get("cache_hit") for span in spans),
        spans=tuple(spans),
        output=output,
        degraded=tuple(run.degraded),
        questions=questions,
        tool_calls=run.wanted,
    )


class Flow(Protocol):
    """One variant of a workflow, ready to answer; it shares no memory with other variants."""

    async def answer(self, asked: Asked) -> Answer:
        """Answer the conversation's last message.

        Raises:
            ConfigError: The request lacks what the workflow needs.
            DeadlineError: The time ran out.
            StepError: A step failed, and nothing could stand in for it.
        """
        ...

    async def close(self) -> None:
        """Let go of what it opened; nothing is answered any more."""
        ...
