"""Puts a model's turn together, from one body or from the pieces of a stream.

Endpoints differ in what they leave out, and the client checks nothing: whatever is missing or of
another type than the protocol's is taken as not said.
"""

from dataclasses import dataclass, field
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk

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

    def take(self, piece: Any) -> None:  # noqa: ANN401 - unchecked, see above
        """Add what this piece says."""
        self.id = self.id or _text(getattr(piece, "id", None))
        function = getattr(piece, "function", None)
        self.name += _text(getattr(function, "name", None))
        self.arguments += _text(getattr(function, "arguments", None))


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

    def take_whole(self, body: object) -> None:
        """Read an answer that came as one body.

        Raises:
            LlmError: It holds no message.
        """
        if not isinstance(body, ChatCompletion):
            raise failed("upstream_malformed", f"{self.asked}: the answer is no completion")
        choice = self._head(body)
        message = getattr(choice, "message", None)
        if message is None:
            raise failed("upstream_malformed", f"{self.asked}: the answer holds no message")
        # One body is either whole or unreadable, so only a stream has to say how it ended.
        self.finish = self.finish or "stop"
        self._take(message)

    def take_piece(self, chunk: object) -> str:
        """Read a piece of a stream; gives its text.

        Raises:
            LlmError: It is no piece of a completion.
        """
        if not isinstance(chunk, ChatCompletionChunk):
            raise failed("upstream_malformed", f"{self.asked}: a piece is no part of a completion")
        return self._take(getattr(self._head(chunk), "delta", None))

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

    def _head(self, body: ChatCompletion | ChatCompletionChunk) -> Any:  # noqa: ANN401
        self.model = self.model or _text(body.model)
        self._count(body.usage)
        choices: object = body.choices
        choice = choices[0] if isinstance(choices, list) and choices else None
        self.finish = _text(getattr(choice, "finish_reason", None)) or self.finish
        return choice

    def _take(self, said: Any) -> str:  # noqa: ANN401
        text = _text(getattr(said, "content", None))
        self.text += text
        pieces = getattr(said, "tool_calls", None)
        for place, piece in enumerate(pieces if isinstance(pieces, list) else ()):
            index = getattr(piece, "index", None)
            at = index if isinstance(index, int) else place
            self.calls.setdefault(at, Call()).take(piece)
        return text

    def _count(self, usage: object) -> None:
        read = _tokens(getattr(usage, "prompt_tokens", None))
        wrote = _tokens(getattr(usage, "completion_tokens", None))
        if read is None and wrote is None:
            return
        cost_usd = None
        if self.price and read is not None and wrote is not None:
            details = getattr(usage, "prompt_tokens_details", None)
            cached = _tokens(getattr(details, "cached_tokens", None)) or 0
            cost_usd = self.price.cost_usd(read, min(cached, read), wrote)
        self.usage = Usage(read, wrote, cost_usd)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _tokens(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if value >= 0 else None
