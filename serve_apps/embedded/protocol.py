"""The part of the OpenAI protocol that the embedded reader understands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PIECES = re.compile(r"(?:\S+\s*){1,4}|\s+")
FinishReason = Literal["stop", "length", "tool_calls"]


class Lenient(BaseModel):
    """A value of the protocol; fields that the reader does not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Part(Lenient):
    """One part of a message whose content is a list."""

    type: str = "text"
    text: str = ""


class Function(Lenient):
    """A function that may be called."""

    name: str
    parameters: dict[str, Any] = {}


class Tool(Lenient):
    """A tool that the caller offers."""

    type: str = "function"
    function: Function


class ChatMessage(Lenient):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None
    tool_calls: list[dict[str, Any]] | None = None

    @property
    def text(self) -> str:
        """What the message says."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class StreamOptions(Lenient):
    """What a streamed answer tells besides its text."""

    include_usage: bool = False


class ChatRequest(Lenient):
    """A request for one completion."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    temperature: float = Field(1.0, ge=0.0, le=2.0)
    top_p: float = Field(1.0, gt=0.0, le=1.0)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    seed: int | None = None
    stream: bool | None = None
    stream_options: StreamOptions = StreamOptions()
    tools: list[Tool] = []
    tool_choice: str | dict[str, Any] = "auto"

    @property
    def limit(self) -> int | None:
        """The most tokens that the answer may have."""
        return self.max_completion_tokens or self.max_tokens


@dataclass(frozen=True)
class Completion:
    """What the reader says: a text, or a call of a tool."""

    text: str | None
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    tool: str | None = None
    arguments: str | None = None


def body(completion: Completion, request: ChatRequest, name: str, created: int) -> dict[str, Any]:
    """The completion as the protocol writes it."""
    message: dict[str, Any] = {"role": "assistant", "content": completion.text, "refusal": None}
    if completion.tool is not None:
        call = {"name": completion.tool, "arguments": completion.arguments}
        message["tool_calls"] = [{"id": f"call_{name}", "type": "function", "function": call}]
    return {
        "id": f"chatcmpl-{name}",
        "object": "chat.completion",
        "created": created,
        "model": request.model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": completion.finish_reason,
            }
        ],
        "usage": {
            "prompt_tokens": completion.prompt_tokens,
            "completion_tokens": completion.completion_tokens,
            "total_tokens": completion.prompt_tokens + completion.completion_tokens,
        },
    }


def chunks(whole: dict[str, Any], *, usage: bool) -> Iterator[dict[str, Any]]:
    """A completion's body as the pieces of a stream: a few words each."""
    (choice,) = whole["choices"]
    message = choice["message"]
    head = {
        "id": whole["id"],
        "object": "chat.completion.chunk",
        "created": whole["created"],
        "model": whole["model"],
    }

    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        said = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return head | {"choices": [said]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in PIECES.findall(message["content"] or ""):
        yield chunk({"content": piece})
    if calls := message.get("tool_calls"):
        yield chunk({"tool_calls": [call | {"index": at} for at, call in enumerate(calls)]})
    yield chunk({}, choice["finish_reason"])
    if usage:
        yield head | {"choices": [], "usage": whole["usage"]}
