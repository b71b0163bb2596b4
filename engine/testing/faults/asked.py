"""What a request asks for, read as far as a script can look into it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class WrongRequestError(Exception):
    """A request that the protocol does not know."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(f"{param}: {message}")
        self.param = param


@dataclass(frozen=True)
class Asked:
    """A request, read as far as a script can look into it."""

    path: str
    body: Mapping[str, Any]
    messages: Sequence[Mapping[str, Any]] = ()

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.body.get("model", ""))

    @property
    def said(self) -> str:
        """The last user message."""
        users = [text_of(message) for message in self.messages if message.get("role") == "user"]
        return users[-1] if users else ""

    @property
    def tools(self) -> list[str]:
        """The names of the tools that may be called; none where the caller closed them."""
        if self.body.get("tool_choice") == "none":
            return []
        return [tool.get("function", {}).get("name", "") for tool in self.body.get("tools") or ()]

    @property
    def streamed(self) -> bool:
        """Whether the answer is wanted piece by piece."""
        return bool(self.body.get("stream"))


def read_chat(path: str, content: bytes) -> Asked:
    """A request for a completion.

    Raises:
        WrongRequestError: It is none.
    """
    body = _read(content)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise WrongRequestError("messages", "a list with at least one message")
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or "role" not in message:
            raise WrongRequestError(f"messages.{place}", "an object with a role")
    return Asked(path, body, messages)


def read_embeddings(path: str, content: bytes) -> Asked:
    """A request for embeddings.

    Raises:
        WrongRequestError: It is none.
    """
    body = _read(content)
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise WrongRequestError("input", "a text or a list of texts")
    return Asked(path, {**body, "input": texts})


def _read(content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
    except ValueError as error:
        raise WrongRequestError("body", f"JSON, but {error}") from error
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        raise WrongRequestError("model", "an object that names a model")
    return body


def text_of(message: Mapping[str, Any]) -> str:
    """What a message says, its parts joined."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content)
    return str(content or "")
