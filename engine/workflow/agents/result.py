"""What every agent is asked and what it comes to."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from engine.workflow.parts import OnText
from engine.workflow.reply import Message
from engine.workflow.run import Run
from engine.workflow.spans import Span

Status = Literal["answered", "degraded", "handed_over"]


@dataclass(frozen=True)
class Outcome:
    """An answer and how it came about."""

    text: str
    messages: tuple[Message, ...]
    """What the agent added to the conversation; the answer is the last of them."""
    steps: int
    """Turns of the model."""
    status: Status = "answered"
    """`degraded` where something was given up, `handed_over` where a person did a part of it."""
    reason: str = ""
    """A word for what was given up, or what the agent found of note."""


class Agent(Protocol):
    """Answers a conversation; made once a variant, and keeps nothing of a request."""

    async def run(
        self, messages: Sequence[Message], run: Run, *, on_text: OnText | None = None
    ) -> Outcome:
        """Answer the conversation; a failed step leaves its span, too.

        Raises:
            DeadlineError: The request's time, or the limit of one turn, ran out.
            BudgetError: The request's steps, tokens or money are used up.
            StepError: The model failed, or a person rejected the step.
        """
        ...


@contextmanager
def working(run: Run, name: str) -> Iterator[Span]:
    """The span over everything that an agent does for a request."""
    with run.timeline.span(name) as span:
        span["kind"] = "agent"
        yield span


def noted(span: Span, outcome: Outcome) -> Outcome:
    """The same outcome, written into the agent's span."""
    span.update(steps=outcome.steps, outcome=outcome.status, reason=outcome.reason)
    return outcome


def said(text: str) -> Message:
    """The model's turn without its calls."""
    return {"role": "assistant", "content": text}
