"""HTTP as the server speaks it, without a framework: the way of every request is short."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from serve_apps.gateway.beats import BEAT_S, beating
from serve_apps.gateway.protocol import Reply, json_bytes
from serve_apps.protection.outflow import outflow
from serve_apps.told import error_body

Scope = Mapping[str, Any]
Receive = Any
Send = Any

TOO_SLOW = (
    b"event: error\ndata: " + json_bytes(error_body(408, "too_slow", "nobody read this")) + b"\n\n"
)


@dataclass(frozen=True)
class Incoming:
    """One HTTP request."""

    method: str
    path: str
    query: str
    headers: Mapping[bytes, bytes]
    body: bytes
    params: tuple[str, ...] = ()
    """What the path says, such as a workflow's name."""

    @property
    def key(self) -> str:
        """The client's API key; empty without one."""
        return self.header("authorization").removeprefix("Bearer ")

    def header(self, name: str) -> str:
        """A header's value; empty where the client sent none."""
        return self.headers.get(name.encode(), b"").decode("latin-1")


@dataclass(frozen=True)
class Stream:
    """An answer that leaves in pieces, as server-sent events."""

    pieces: AsyncGenerator[bytes]
    headers: Mapping[str, str]


async def send_reply(reply: Reply, send: Send) -> None:
    """Send a whole answer."""
    headers = [
        (b"content-type", reply.media_type.encode()),
        (b"content-length", str(len(reply.body)).encode()),
        *((name.encode(), value.encode("latin-1")) for name, value in reply.headers.items()),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def send_stream(
    stream: Stream, receive: Receive, send: Send, stall_s: float, beat_s: float = BEAT_S
) -> None:
    """Send pieces as they come; a client that hangs up or doesn't read ends what makes them."""
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),
        *((name.encode(), value.encode("latin-1")) for name, value in stream.headers.items()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async with beating(send, beat_s) as tell:
        await outflow(stream.pieces, receive, tell, stall_s, TOO_SLOW)
