"""What the gateway offers over HTTP: the paths, and what is read of each request."""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from engine.config.protection import Clients
from engine.errors import TrimtabError
from serve_apps.gateway.asgi import (
    Incoming,
    Receive,
    Scope,
    Send,
    Stream,
    send_reply,
    send_stream,
)
from serve_apps.gateway.call import Answered, Json
from serve_apps.gateway.desk import Desk
from serve_apps.gateway.protocol import (
    Reply,
    chat_completion,
    error_reply,
    failed,
    failure_of,
    json_reply,
    native_body,
    parsed,
)
from serve_apps.gateway.reading import chat_call, flag, native_call, object_in
from serve_apps.gateway.sockets import converse
from serve_apps.gateway.streams import begun, chat_chunks, native_events, sent
from serve_apps.protection.body import HungUpError, body_of, check_depth, check_headers

Handler = Callable[[Incoming], Awaitable[Reply | Stream]]
Route = tuple[str, str, Handler]
"""A method, a path in which `{}` stands for one name, and who answers."""


class Front:
    """The ASGI application; every error has OpenAI's shape."""

    def __init__(self, desk: Desk, routes: Sequence[Route], clients: Clients | None = None) -> None:
        self._desk = desk
        self._clients = clients or Clients()
        mine: list[Route] = [
            ("POST", "/v1/chat/completions", self._chat),
            ("POST", "/v1/workflows/{}/run", self._native),
        ]
        self.routes = (*mine, *routes)
        self._exact: dict[tuple[str, str], Handler] = {}
        self._patterns: list[tuple[str, re.Pattern[str], Handler]] = []
        for method, path, handler in self.routes:
            if "{}" in path:
                pattern = re.compile(re.escape(path).replace(r"\{\}", "([^/]+)"))
                self._patterns.append((method, pattern, handler))
            else:
                self._exact[method, path] = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hold one conversation over a WebSocket."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await converse(self._desk, self._clients, scope, receive, send)
        else:
            await _lifespan(receive, send)

    async def reply(self, request: Incoming) -> Reply:
        """Answer one request whole, for those who come another way than over HTTP."""
        try:
            answer = await self._routed(request)
        except TrimtabError as error:
            return failure_of(error)
        if isinstance(answer, Stream):
            await answer.pieces.aclose()
            return error_reply(400, "invalid_request", "`stream` is for HTTP; use the other call")
        return answer

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._routed(await self._read(scope, receive))
        except HungUpError:
            return
        except TrimtabError as error:
            answer = failure_of(error)
        if isinstance(answer, Stream):
            await send_stream(answer, receive, send, self._clients.stall_s)
        else:
            await send_reply(answer, send)

    async def _read(self, scope: Scope, receive: Receive) -> Incoming:
        check_headers(scope["headers"], self._clients)
        method, body = scope["method"], b""
        if method == "POST":
            body = await body_of(receive, self._clients.body_bytes, self._clients.body_s)
            check_depth(body, self._clients.depth)
        query, headers = scope["query_string"].decode("latin-1"), dict(scope["headers"])
        return Incoming(method, scope["path"], query, headers, body)

    async def _routed(self, request: Incoming) -> Reply | Stream:
        handler = self._exact.get((request.method, request.path))
        if handler is not None:
            return await handler(request)
        handler, params = self._matching(request.method, request.path)
        if handler is not None:
            return await handler(replace(request, params=params))
        return self._nothing(request.method, request.path)

    def _matching(self, method: str, path: str) -> tuple[Handler | None, tuple[str, ...]]:
        for known, pattern, handler in self._patterns:
            if known == method and (match := pattern.fullmatch(path)):
                return handler, match.groups()
        return None, ()

    def _nothing(self, method: str, path: str) -> Reply:
        known = {one for one, other in self._exact if other == path}
        known |= {one for one, pattern, _ in self._patterns if pattern.fullmatch(path)}
        if not known:
            return error_reply(404, "not_found", f"there is nothing at {path}")
        allowed = ", ".join(sorted(known))
        message = f"{method} {path}: use {allowed}"
        return error_reply(405, "method_not_allowed", message, {"allow": allowed})

    async def _chat(self, request: Incoming) -> Reply | Stream:
        said = parsed(request.body)
        call = chat_call(request, said)
        if not flag(said, "stream"):
            answered = await self._desk.answer(call)
            if answered.status != "ok":
                return failed(answered.outcome, answered.headers)
            return json_reply(chat_completion(answered), headers=answered.headers)
        events = self._desk.events(call)
        first = await begun(events)
        if refusal := _failed_at_once(first.first[1].get("answered"), first.headers):
            return refusal
        usage = flag(object_in(said, "stream_options"), "include_usage")
        return Stream(chat_chunks(first, events, call.workflow, usage=usage), first.headers)

    async def _native(self, request: Incoming) -> Reply | Stream:
        said = parsed(request.body)
        call = native_call(request, request.params[0], said)
        if flag(said, "stream") or b"text/event-stream" in request.headers.get(b"accept", b""):
            events = native_events(self._desk.events(call))
            _, ids = await anext(events)
            headers = {
                "x-trimtab-variant": ids["variant"],
                "x-trimtab-trace-id": ids["trace_id"],
                "x-trimtab-conversation": ids["conversation_id"],
            }
            return Stream((sent(event) async for event in events), headers)
        answered = await self._desk.answer(call)
        if answered.status != "ok":
            return failed(answered.outcome, answered.headers)
        status = 202 if answered.outcome["questions"] else 200
        return json_reply(run_body(answered), status, answered.headers)


def run_body(answered: Answered) -> Json:
    """What a run came to, with what names it."""
    named = {
        "trace_id": answered.trace_id,
        "conversation_id": answered.conversation,
        "variant": answered.variant,
        "segment": answered.segment,
    }
    return named | native_body(answered.outcome)


def _failed_at_once(answered: object, headers: dict[str, str]) -> Reply | None:
    if isinstance(answered, Answered) and answered.status != "ok":
        return failed(answered.outcome, headers | answered.headers)
    return None


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
