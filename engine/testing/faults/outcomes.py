"""What may become of a request to the fault model server."""

from typing import Annotated, Any, Literal

from pydantic import Field

from engine.config.frozen import Frozen

Seconds = Annotated[float, Field(ge=0.0, le=3_600.0)]
Place = Literal["before_headers", "after_headers", "mid_body"]


class Call(Frozen):
    """A tool call that the model makes, right or wrong."""

    name: str
    arguments: str | dict[str, Any] = Field(default_factory=dict)
    """A text is sent as it stands, so it need not be JSON."""
    id: str | None = None
    """None makes one up, different for every call."""


class Answer(Frozen):
    """The model answers."""

    kind: Literal["answer"] = "answer"
    text: str = "You said: {said}"
    """`{said}` stands for the last user message."""
    calls: tuple[Call, ...] = ()
    finish: Literal["stop", "length", "content_filter", "tool_calls"] | None = None
    """None is `tool_calls` where there are calls, else `stop`."""
    input_tokens: int | None = Field(None, ge=0)
    """None counts the words of the messages."""
    output_tokens: int | None = Field(None, ge=0)
    """None counts the words of the answer."""
    usage: bool = True
    """Whether the answer says what it took."""
    latency_s: Seconds = 0.0
    """Before the headers."""
    words_per_chunk: int = Field(4, ge=1)
    chunk_delay_s: Seconds = 0.0
    """Between the chunks of a streamed answer."""


class Status(Frozen):
    """The endpoint refuses or fails with an HTTP status."""

    kind: Literal["status"] = "status"
    status: int = Field(ge=400, le=599)
    code: str | None = None
    """The `code` of the error object."""
    message: str = "as the script says"
    retry_after_s: Seconds | None = None
    retry_after_as: Literal["seconds", "date", "milliseconds", "nonsense"] = "seconds"


class Cut(Frozen):
    """The connection ends before the answer does."""

    kind: Literal["cut"] = "cut"
    place: Place | Literal["mid_chunk"] = "mid_body"
    """`mid_chunk` announces a chunk and sends half of it."""
    how: Literal["reset", "close"] = "reset"


class Stall(Frozen):
    """Nothing is sent for a while; then the answer goes on."""

    kind: Literal["stall"] = "stall"
    place: Place = "before_headers"
    for_s: Seconds = 30.0


class Drip(Frozen):
    """The body is sent byte by byte."""

    kind: Literal["drip"] = "drip"
    delay_s: Seconds = 1.0
    """After each byte."""


class Raw(Frozen):
    """Bytes that are no HTTP, then the end of the connection."""

    kind: Literal["raw"] = "raw"
    text: str = "\x16\x03\x01\x02\x00 no HTTP at all\r\n\r\n"


class Body(Frozen):
    """Status 200 with a body of the script's own; one event of the stream where one was asked."""

    kind: Literal["body"] = "body"
    text: str


class Huge(Frozen):
    """More than anybody should read: an answer padded, or a header as long."""

    kind: Literal["huge"] = "huge"
    body_mib: int = Field(0, ge=0, le=1_024)
    header_kib: int = Field(0, ge=0, le=65_536)


class Length(Frozen):
    """A content-length that is wrong by some bytes; the connection ends after the body."""

    kind: Literal["length"] = "length"
    off_by: int = 10
    """Positive announces more than is sent."""


class Unfinished(Frozen):
    """A stream without its `[DONE]`; an answer in one piece is as usual."""

    kind: Literal["unfinished"] = "unfinished"


class Broken(Frozen):
    """An error event in the middle of a stream; instead of an answer in one piece, status 500."""

    kind: Literal["broken"] = "broken"
    message: str = "the server had an error while streaming"


Outcome = Annotated[
    Answer | Status | Cut | Stall | Drip | Raw | Body | Huge | Length | Unfinished | Broken,
    Field(discriminator="kind"),
]
