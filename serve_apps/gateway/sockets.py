"""Runs of a workflow over a WebSocket: one message asks, the same events answer as over SSE."""

import asyncio
import contextlib
import json
import re
from contextlib import aclosing

from engine.errors import TrimtabError
from serve_apps.gateway.asgi import Incoming, Receive, Scope, Send
from serve_apps.gateway.call import Json
from serve_apps.gateway.desk import Desk
from serve_apps.gateway.protocol import failure_of, json_bytes, parsed
from serve_apps.gateway.reading import native_call
from serve_apps.gateway.streams import native_events

PATH = re.compile(r"/v1/workflows/([^/]+)/run")
MOST_WAITING = 16
TRY_LATER = 1013
NOT_FOUND = 4404
"""The code with which a socket to an unknown path is closed."""


async def converse(desk: Desk, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one message after the other until the client leaves, which ends what is under way."""
    await receive()
    match = PATH.fullmatch(scope["path"])
    if match is None:
        await send({"type": "websocket.close", "code": NOT_FOUND, "reason": "nothing is here"})
        return
    await send({"type": "websocket.accept"})
    asked: asyncio.Queue[Json] = asyncio.Queue(MOST_WAITING)
    talking = asyncio.ensure_future(_talk(desk, scope, match.group(1), asked, send))
    try:
        while (message := await receive())["type"] == "websocket.receive" and not talking.done():
            asked.put_nowait(message)
    except asyncio.QueueFull:
        reason = f"more than {MOST_WAITING} messages wait for their answers"
        await send({"type": "websocket.close", "code": TRY_LATER, "reason": reason})
    finally:
        talking.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await talking


async def _talk(
    desk: Desk, scope: Scope, name: str, asked: "asyncio.Queue[Json]", send: Send
) -> None:
    headers = dict(scope["headers"])
    while True:
        message = await asked.get()
        body = message.get("bytes") or (message.get("text") or "").encode()
        try:
            call = native_call(
                Incoming("POST", scope["path"], "", headers, body), name, parsed(body)
            )
            async with aclosing(native_events(desk.events(call))) as events:
                async for kind, said in events:
                    await _tell(send, {"event": kind, "data": said})
        except TrimtabError as error:
            said = {"event": "error", "data": json.loads(failure_of(error).body)["error"]}
            await _tell(send, said)


async def _tell(send: Send, said: Json) -> None:
    await send({"type": "websocket.send", "text": json_bytes(said).decode()})
