"""The server itself: connections, paths, and what was asked and served."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable

from engine.config.source import parse
from engine.errors import ConfigError
from engine.testing.faults import protocol
from engine.testing.faults.asked import Asked, WrongRequestError, read_chat, read_embeddings
from engine.testing.faults.outcomes import Answer
from engine.testing.faults.play import Play, Scene
from engine.testing.faults.script import Script
from engine.testing.faults.spoil import DONE, EVENTS, deliver, event
from engine.testing.faults.wire import LONGEST_HEAD, Request, Response, Wire

READERS: dict[str, Callable[[str, bytes], Asked]] = {
    "/v1/chat/completions": read_chat,
    "/v1/embeddings": read_embeddings,
}


class Server:
    """One script behind the paths of the OpenAI protocol."""

    def __init__(self, script: Script, seed: int) -> None:
        self._seed = seed
        self._play = Play(script, seed)
        self._named = 0
        self._asked: Counter[str] = Counter()
        self._served: Counter[str] = Counter()
        self._left = 0
        self._open: set[Wire] = set()

    async def listen(self, port: int) -> asyncio.Server:
        """Take connections on this machine only."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: _Conversation(self), "127.0.0.1", port, backlog=1_024
        )

    async def converse(self, wire: Wire) -> None:
        """Answer one connection's requests until either side ends it."""
        self._open.add(wire)
        try:
            while not wire.ended and (request := await wire.read()) is not None:
                await self._answer(wire, request)
                wire.ended |= not request.keep
        finally:
            self._open.discard(wire)

    async def _answer(self, wire: Wire, request: Request) -> None:
        reader = READERS.get(request.path)
        if reader is None or request.method != "POST":
            await wire.send(self._aside(request))
            return
        self._asked[request.path] += 1
        # The play it belongs to: a new script begins its own counts.
        served = self._served
        try:
            asked = reader(request.path, request.content)
        except WrongRequestError as wrong:
            served["refused"] += 1
            refused = protocol.problem(400, str(wrong), param=wrong.param)
            await wire.send(_json(refused, 400))
            return
        scene = self._play.scene(asked)
        self._named += 1
        try:
            await deliver(wire, _usual(asked, scene, f"{self._named:08d}"), scene.outcome)
        except (asyncio.CancelledError, OSError):
            self._left += 1
            raise
        served[scene.name] += 1

    def _aside(self, request: Request) -> Response:
        """What is no part of the play."""
        match request.method, request.path:
            case "GET", "/v1/models":
                return _json(protocol.models(self._play.script.models))
            case "GET", "/healthz":
                return _json({"status": "ok"})
            case "GET", "/control/counts":
                return _json(self._counts())
            case "POST", "/control":
                return self._replace(request.content)
            case _:
                pass
        found = f"{request.method} {request.path}: no such path"
        return _json(protocol.problem(404, found), 404)

    def _replace(self, content: bytes) -> Response:
        try:
            script = parse(content.decode(errors="replace"), "/control").into(Script)
        except ConfigError as error:
            return _json(protocol.problem(400, str(error)), 400)
        self._play = Play(script, self._seed)
        self._asked, self._served, self._left = Counter(), Counter(), 0
        return _json({"status": "ok"})

    def _counts(self) -> dict[str, object]:
        return {
            "asked": dict(self._asked),
            "served": dict(self._served),
            "left": self._left,
            "connections": len(self._open),
        }


def _usual(asked: Asked, scene: Scene, name: str) -> Response:
    answer = scene.answer
    if asked.path.endswith("/embeddings"):
        return _timed([_bytes(protocol.embeddings(asked))], answer)
    if not asked.streamed:
        return _timed([_bytes(protocol.completion(answer, asked, name))], answer)
    told = (event(json.dumps(one)) for one in protocol.events(answer, asked, name))
    return _timed([*told, DONE], answer, streamed=True)


def _timed(pieces: Iterable[bytes], answer: Answer, *, streamed: bool = False) -> Response:
    return Response(
        list(pieces),
        content_type=EVENTS if streamed else "application/json",
        chunked=streamed,
        before_s=answer.latency_s,
        between_s=answer.chunk_delay_s,
    )


def _json(value: object, status: int = 200) -> Response:
    return Response([_bytes(value)], status)


def _bytes(value: object) -> bytes:
    return json.dumps(value).encode()


class _Conversation(asyncio.StreamReaderProtocol):
    """One connection, whose answer stops as soon as the client is gone."""

    def __init__(self, server: Server) -> None:
        super().__init__(asyncio.StreamReader(limit=LONGEST_HEAD), self._begin)
        self._server = server
        self._speaking: asyncio.Task[None] | None = None

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._speaking = asyncio.current_task()
        try:
            await self._server.converse(Wire(reader, writer))
        except (asyncio.CancelledError, OSError):
            # The client left: what it was told so far is counted, and nobody waits for the rest.
            pass
        finally:
            writer.close()

    def eof_received(self) -> bool:
        super().eof_received()
        self._stop()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop()

    def _stop(self) -> None:
        if self._speaking is not None:
            self._speaking.cancel()
