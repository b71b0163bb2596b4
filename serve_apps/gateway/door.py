"""The gateway for those who don't come over HTTP: the same paths, bodies and errors."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from engine.errors import TrimtabError
from serve_apps.gateway.asgi import Incoming
from serve_apps.gateway.call import Event, Json
from serve_apps.gateway.desk import Desk
from serve_apps.gateway.front import Front
from serve_apps.gateway.protocol import failure_of, json_bytes
from serve_apps.gateway.reading import native_call
from serve_apps.gateway.streams import native_events
from serve_apps.told import Told

STATUSES = {"invalid_request_error": 400, "timeout_error": 504, "unavailable_error": 503}
"""Of the errors that end a stream; all others are the upstream's."""


class BackDoor:
    """Asks the front what an HTTP client would have asked."""

    def __init__(self, front: Front, desk: Desk) -> None:
        self._front = front
        self._desk = desk

    async def ask(
        self, method: str, path: str, said: Json | None, headers: Mapping[str, str]
    ) -> Told:
        """Answer one request; errors are replies."""
        body = b"" if said is None else json_bytes(said)
        reply = await self._front.reply(Incoming(method, path, "", _raw(headers), body))
        return Told(reply.status, json.loads(reply.body), reply.headers)

    async def tell(
        self, workflow: str, said: Json, headers: Mapping[str, str]
    ) -> AsyncGenerator[Event]:
        """Run a workflow: begun, plan, node and chunk, then done or `error`."""
        path = f"/v1/workflows/{workflow}/run"
        try:
            call = native_call(Incoming("POST", path, "", _raw(headers), b""), workflow, said)
            async with aclosing(native_events(self._desk.events(call))) as events:
                async for kind, told in events:
                    yield kind, _ended(told) if kind == "error" else told
        except TrimtabError as error:
            refusal = failure_of(error)
            yield "error", {"status": refusal.status, "error": json.loads(refusal.body)["error"]}


def _ended(error: Json) -> Json:
    return {"status": STATUSES.get(error["type"], 502), "error": error}


def _raw(headers: Mapping[str, str]) -> dict[bytes, bytes]:
    return {name.lower().encode(): value.encode() for name, value in headers.items()}
