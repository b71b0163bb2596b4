"""HTTP as the server speaks it, without a framework: the way of every request is short."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from engine.errors import ConfigError
from serve_apps.gateway.protocol import MAX_BODY_BYTES, Reply

Scope = Mapping[str, Any]
Receive = Any
Send = Any


class TooLargeError(ConfigError):
    """A body is longer than is read."""


class GoneError(Exception):
    """The client hung up before it had said everything."""


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

    def header(self, name: str) -> str:
        """A header's value; empty where the client sent none."""
        return self.headers.get(name.encode(), b"").decode("latin-1")


@dataclass(frozen=True)
class Stream:
    """An answer that leaves in pieces, as server-sent events."""

    pieces: AsyncGenerator[bytes]
    headers: Mapping[str, str]


async def body_of(receive: Receive) -> bytes:
    """The whole body.

    Raises:
        TooLargeError: It is longer than a body may be.
        GoneError: The client hung up.
    """
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            break
    if message["type"] == "http.disconnect":
        raise GoneError
    if len(body) > MAX_BODY_BYTES:
        raise TooLargeError(f"a body holds at most {MAX_BODY_BYTES} bytes")
    return body


async def send_reply(reply: Reply, send: Send) -> None:
    """Send a whole answer."""
    headers = [
        (b"content-type", reply.media_type.encode()),
        (b"content-length", str(len(reply.body)).encode()),
        *((name.encode(), value.encode("latin-1")) for name, value in reply.headers.items()),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def send_stream(stream: Stream, receive: Receive, send: Send) -> None:
    """Send pieces as they come; a client that hangs up ends what makes them."""
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),
        *((name.encode(), value.encode("latin-1")) for name, value in stream.headers.items()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    sending = asyncio.ensure_future(_pieces(stream, send))
    leaving = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await task


async def _pieces(stream: Stream, send: Send) -> None:
    async with aclosing(stream.pieces) as pieces:
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
