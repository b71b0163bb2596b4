"""Runs of a workflow over a WebSocket: one message asks, the same events answer as over SSE."""

import asyncio
import contextlib
import json
import re
from contextlib import aclosing

from engine.config.protection import Clients
from engine.errors import TrimtabError
from serve_apps.gateway.asgi import Incoming, Receive, Scope, Send
from serve_apps.gateway.call import Json
from serve_apps.gateway.desk import Desk
from serve_apps.gateway.protocol import failure_of, json_bytes, parsed
from serve_apps.gateway.reading import native_call
from serve_apps.gateway.streams import native_events
from serve_apps.protection.body import check_depth
from serve_apps.protection.outflow import prompt

PATH = re.compile(r"/v1/workflows/([^/]+)/run")
MOST_WAITING = 16
TRY_LATER = 1013
TOO_LARGE = 1009
NOT_FOUND = 4404
"""The code with which a socket to an unknown path is closed."""


async def converse(
    desk: Desk, clients: Clients, scope: Scope, receive: Receive, send: Send
) -> None:
    """Answer one message after the other until the client leaves, which ends what is under way.

    So does a client that sends more than it is answered, or stops reading its answers.
    """
    await receive()
    match = PATH.fullmatch(scope["path"])
    if match is None:
        await send({"type": "websocket.close", "code": NOT_FOUND, "reason": "nothing is here"})
        return
    await send({"type": "websocket.accept"})
    asked: asyncio.Queue[bytes] = asyncio.Queue(MOST_WAITING)
    tell = prompt(send, clients.stall_s)
    hearing = asyncio.ensure_future(_hear(receive, asked, clients))
    incoming = Incoming("POST", scope["path"], "", dict(scope["headers"]), b"", match.groups())
    talking = asyncio.ensure_future(_talk(desk, incoming, clients.depth, asked, tell))
    try:
        await asyncio.wait((hearing, talking), return_when=asyncio.FIRST_COMPLETED)
        if hearing.done() and (refusal := hearing.result()):
            await tell({"type": "websocket.close", **refusal})
    finally:
        for task in (hearing, talking):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await task


async def _hear(receive: Receive, asked: "asyncio.Queue[bytes]", clients: Clients) -> Json | None:
    """Take in messages until the client leaves; until one is too much, what is said to it."""
    while (message := await receive())["type"] == "websocket.receive":
        if asked.full():
            reason = f"more than {MOST_WAITING} messages wait for their answers"
            return {"code": TRY_LATER, "reason": reason}
        body = message.get("bytes") or (message.get("text") or "").encode()
        if len(body) > clients.body_bytes:
            reason = f"a message holds at most {clients.body_bytes} bytes"
            return {"code": TOO_LARGE, "reason": reason}
        asked.put_nowait(body)
    return None


async def _talk(
    desk: Desk, incoming: Incoming, depth: int, asked: "asyncio.Queue[bytes]", tell: Send
) -> None:
    while True:
        body = await asked.get()
        try:
            check_depth(body, depth)
            call = native_call(incoming, incoming.params[0], parsed(body))
            async with aclosing(native_events(desk.events(call))) as events:
                async for kind, said in events:
                    await tell(_message({"event": kind, "data": said}))
        except TrimtabError as error:
            said = {"event": "error", "data": json.loads(failure_of(error).body)["error"]}
            await tell(_message(said))


def _message(said: Json) -> Json:
    return {"type": "websocket.send", "text": json_bytes(said).decode()}
