"""What a language model is told and what it says, in the words of the OpenAI protocol."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Message = dict[str, Any]
"""A message of the OpenAI protocol."""


@dataclass(frozen=True)
class ToolCall:
    """A call that the language model wants; its arguments are JSON as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Usage:
    """What one or several calls took; None where the endpoint or the price list doesn't say."""

    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None


@dataclass(frozen=True)
class Reply:
    """One turn of the language model."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    usage: Usage
    model: str
    finish_reason: str | None = None
    """Why the model stopped, in the protocol's words (`stop`, `length`, `tool_calls`,
    `content_filter`); None where the endpoint doesn't say."""


def total(usages: Iterable[Usage]) -> Usage:
    """What several calls took together; None where one of them is unknown."""
    every = list(usages)
    read = [usage.input_tokens for usage in every]
    wrote = [usage.output_tokens for usage in every]
    cost = [usage.cost_usd for usage in every]
    return Usage(
        None if None in read else sum(tokens or 0 for tokens in read),
        None if None in wrote else sum(tokens or 0 for tokens in wrote),
        None if None in cost else sum(usd or 0.0 for usd in cost),
    )


def turn_of(text: str, tool_calls: Sequence[ToolCall] = ()) -> Message:
    """A model's turn as a message, its tool calls included."""
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        }
        for call in tool_calls
    ]
    if not calls:
        return {"role": "assistant", "content": text}
    return {"role": "assistant", "content": text or None, "tool_calls": calls}
