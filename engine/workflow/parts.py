"""What the steps of a workflow may ask of its parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from engine.workflow.reply import Message, Reply, ToolCall
from engine.workflow.run import Run

Tier = Literal["usual", "cheap", "strong"]
OnText = Callable[[str], None]
"""Takes a piece of the answer as it arrives, and never waits."""


@dataclass(frozen=True)
class Offer:
    """The tools that a language model may call in this turn."""

    tools: Sequence[Mapping[str, Any]] = ()
    """In the OpenAI tools protocol."""
    choice: str | Mapping[str, Any] = "auto"
    """`auto`, `none`, `required`, or the one function that has to be called."""


NOTHING = Offer()


class Asker(Protocol):
    """Asks a language model; retries, breakers, fallbacks and prices are its own affair."""

    async def ask(
        self,
        messages: Sequence[Message],
        run: Run,
        *,
        node: str,
        offer: Offer = NOTHING,
        tier: Tier = "usual",
        on_text: OnText | None = None,
    ) -> Reply:
        """One turn, counted and charged in `run`, with a span named `node` in its timeline.

        With `on_text` the answer is streamed.

        Raises:
            DeadlineError: The request's time, or the call's own limit, ran out.
            BudgetError: The request's steps, tokens or money are used up.
            StepError: The model failed, and so did everything that could stand in for it.
        """
        ...


class Toolbelt(Protocol):
    """The tools that one agent may use."""

    def schemas(self) -> Sequence[Mapping[str, Any]]:
        """What the language model is told of them, in the OpenAI tools protocol."""
        ...

    async def call(self, calls: Sequence[ToolCall], run: Run) -> list[Message]:
        """The tool messages that answer these calls, in the calls' order.

        Independent calls run at once. A call that fails answers with a text that begins with
        `error:`; it never raises.

        Raises:
            DeadlineError: The request's time ran out.
            BudgetError: The request's steps are used up.
        """
        ...
