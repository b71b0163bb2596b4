"""Streams an answer to a client, and ends it when the client doesn't read or has left."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import aclosing, suppress
from typing import Any, Literal

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
End = Literal["done", "stalled", "left"]


# What a client that took nothing for so long is waited for once more.
LAST_S = 1.0


async def outflow(
    parts: AsyncGenerator[bytes], receive: Receive, send: Send, stall_s: float, last: bytes = b""
) -> End:
    """Send the parts of an answer that has begun, each as it comes.

    The only buffer is the connection's own: while it is full no further part is asked for, so a
    slow reader costs the server that one buffer and holds up nobody else. A reader that takes
    nothing of it for `stall_s` is given up: it is told `last`, if it still comes to read, and the
    connection is closed. However a stream ends, its source is closed, so what makes it stops too.
    """
    sending = asyncio.ensure_future(_sent(parts, send, stall_s, last))
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        return sending.result() if sending.done() else "left"
    finally:
        sending.cancel()
        leaving.cancel()
        await asyncio.wait((sending, leaving))


def prompt(send: Send, stall_s: float) -> Send:
    """A way of sending that waits no longer than this for a client to take what was sent before.

    It raises TimeoutError when the client doesn't.
    """

    async def told(message: MutableMapping[str, Any]) -> None:
        async with asyncio.timeout(stall_s):
            await send(message)

    return told


async def _sent(parts: AsyncGenerator[bytes], send: Send, stall_s: float, last: bytes) -> End:
    tell = prompt(send, stall_s)
    async with aclosing(parts):
        async for part in parts:
            try:
                await tell({"type": "http.response.body", "body": part, "more_body": True})
            except TimeoutError:
                break
        else:
            await _end(tell, b"")
            return "done"
    # The source is closed before anything more is tried: nobody works for a reader that is away.
    await _end(prompt(send, LAST_S), last)
    return "stalled"


async def _end(tell: Send, last: bytes) -> None:
    # A response that has no end makes the server close the connection, which is what is left.
    with suppress(TimeoutError):
        await tell({"type": "http.response.body", "body": last})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
