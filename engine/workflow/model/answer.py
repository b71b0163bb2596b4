"""Puts a model's turn together, from one body or from the pieces of a stream.

Endpoints differ in what they leave out, and nothing was checked before: whatever is missing or of
another type than the protocol's is taken as not said.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.workflow.model.codes import failed
from engine.workflow.model.prices import Price
from engine.workflow.reply import Reply, ToolCall, Usage

UNSAID = Usage(None, None, None)


@dataclass
class Call:
    """A tool call whose name and arguments may arrive in pieces."""

    id: str = ""
    name: str = ""
    arguments: str = ""

    def take(self, piece: Mapping[str, Any]) -> None:
        """Add what this piece says."""
        self.id = self.id or _text(piece.get("id"))
        function = _fields(piece.get("function"))
        self.name += _text(function.get("name"))
        self.arguments += _text(function.get("arguments"))


@dataclass
class Answer:
    """What has arrived of one answer so far."""

    asked: str
    """The model that was asked; its price counts, whatever name the endpoint answers with."""
    price: Price | None
    model: str = ""
    text: str = ""
    calls: dict[int, Call] = field(default_factory=dict)
    usage: Usage = UNSAID
    finish: str = ""
    begun: bool = False
    """Whether something of the answer is here, be it a thought: a role alone is not."""

    def take_whole(self, body: object) -> None:
        """Read an answer that came as one body.

        Raises:
            LlmError: It holds no message.
        """
        if not isinstance(body, dict):
            raise failed("upstream_malformed", f"{self.asked}: the answer is no completion")
        message = self._head(body).get("message")
        if message is None:
            raise failed("upstream_malformed", f"{self.asked}: the answer holds no message")
        # One body is either whole or unreadable, so only a stream has to say how it ended.
        self.finish = self.finish or "stop"
        self._take(_fields(message))

    def take_piece(self, piece: object) -> str:
        """Read a piece of a stream; gives its text.

        Raises:
            LlmError: It is no piece of a completion.
        """
        if not isinstance(piece, dict):
            raise failed("upstream_malformed", f"{self.asked}: a piece is no part of a completion")
        said = _fields(self._head(piece).get("delta"))
        self.begun = self.begun or any(said[name] for name in said if name != "role")
        return self._take(said)

    def reply(self) -> Reply:
        """The whole turn.

        Raises:
            LlmError: The endpoint withheld the answer, or broke off before its end.
        """
        if self.finish == "content_filter":
            raise failed("upstream_filtered", f"{self.asked}: the endpoint withheld the answer")
        if not self.finish:
            raise failed("upstream_cut", f"{self.asked}: the answer broke off")
        calls = tuple(
            ToolCall(call.id or f"call_{place}", call.name, call.arguments)
            for place, call in sorted(self.calls.items())
        )
        return Reply(self.text, calls, self.usage, self.model or self.asked, self.finish)

    def _head(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        self.model = self.model or _text(body.get("model"))
        self._count(_fields(body.get("usage")))
        choices = body.get("choices")
        choice = _fields(choices[0]) if isinstance(choices, list) and choices else {}
        self.finish = _text(choice.get("finish_reason")) or self.finish
        return choice

    def _take(self, said: Mapping[str, Any]) -> str:
        text = _text(said.get("content"))
        self.text += text
        calls = said.get("tool_calls")
        for place, call in enumerate(calls if isinstance(calls, list) else ()):
            piece = _fields(call)
            index = piece.get("index")
            at = index if isinstance(index, int) else place
            self.calls.setdefault(at, Call()).take(piece)
        return text

    def _count(self, usage: Mapping[str, Any]) -> None:
        read = _tokens(usage.get("prompt_tokens"))
        wrote = _tokens(usage.get("completion_tokens"))
        if read is None and wrote is None:
            return
        cost_usd = None
        if self.price and read is not None and wrote is not None:
            details = _fields(usage.get("prompt_tokens_details"))
            cached = _tokens(details.get("cached_tokens")) or 0
            cost_usd = self.price.cost_usd(read, min(cached, read), wrote)
        self.usage = Usage(read, wrote, cost_usd)


def _fields(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _tokens(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if value >= 0 else None
