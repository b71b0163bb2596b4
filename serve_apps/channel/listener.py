"""A slot replica's end of the channel."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, cast

from serve_apps.channel.frames import (
    ASK,
    CANCEL,
    DONE,
    EVENT,
    LEAVING,
    NONCE_BYTES,
    PING,
    PONG,
    UNSENDABLE,
    Frame,
    Writer,
    proof,
    reader,
)
from serve_apps.channel.load import Load
from serve_apps.channel.resources import Machine
from serve_apps.outcome import unanswered

Json = dict[str, Any]
Emit = Callable[[str, Json], None]
Answer = Callable[[Json, Emit | None], Awaitable[Json]]
"""Answers a request; failures come back as data. It tells what happens on the way to `emit`."""

WELCOME_S = 5.0
"""Within this time a gateway must have proved itself."""
HELLO_BYTES = 256
"""Nobody may say more before that."""

log = logging.getLogger("ray.serve")


class Listener:
    """Takes requests from the gateways that prove to be of this workspace."""

    def __init__(self, secret: bytes, answer: Answer, welcome_s: float = WELCOME_S) -> None:
        self.secret = secret
        self.answer = answer
        self.welcome_s = welcome_s
        self.address = ""
        self.lines: set[Line] = set()
        self.is_leaving = False
        self.load = Load()
        self.machine = Machine()
        self._server: asyncio.Server | None = None
        self._alone = asyncio.Event()

    async def open(self, host: str) -> str:
        """Listen on a free port; the address for the gateways.

        It names this listener: one that gets the same port later has another address.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Line(self), host, 0)
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"{host}:{port}/{secrets.token_hex(4)}"
        return self.address

    @property
    def ongoing(self) -> int:
        """Requests that are being answered."""
        return sum(len(line.tasks) for line in self.lines)

    async def close(self, within_s: float) -> None:
        """Let the gateways send nothing new, hear every answer and hang up."""
        if self._server is None:
            return
        self._server.close()
        self.is_leaving = True
        for line in self.lines:
            line.leave()
        if self.lines:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_s):
                    await self._alone.wait()
        for line in list(self.lines):
            line.hang_up()

    def left(self, line: "Line") -> None:
        """A gateway is gone."""
        self.lines.discard(line)
        if not self.lines:
            self._alone.set()


class Line(asyncio.Protocol):
    """One gateway."""

    def __init__(self, listener: Listener) -> None:
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self._listener = listener
        self._frames = reader(HELLO_BYTES)
        self._nonce = secrets.token_bytes(NONCE_BYTES)
        self._is_known = False
        self._transport: asyncio.Transport
        self._writer: Writer
        self._patience: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask who it is."""
        # uvloop's, which Ray's workers use, are transports by their ways alone.
        transport = cast(asyncio.Transport, transport)
        self._transport, self._writer = transport, Writer(transport)
        loop = asyncio.get_running_loop()
        self._patience = loop.call_later(self._listener.welcome_s, transport.abort)
        self._writer.send(self._nonce)

    def data_received(self, data: bytes) -> None:
        """Take whole frames; whoever says something else is cut off."""
        try:
            self._frames.feed(data)
            for frame in self._frames:
                self._take(frame)
        except Exception as error:  # noqa: BLE001 - whatever it was, this end can't be trusted
            log.warning("a gateway's line is closed: %r", error)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up what was asked over this line: nobody is left to hear it."""
        self._patience.cancel()
        self._writer.resume()
        self._listener.left(self)
        for task in self.tasks.values():
            task.cancel()

    def pause_writing(self) -> None:
        """Let answers wait; a gateway that reads nothing for long is cut off."""
        self._writer.pause()

    def resume_writing(self) -> None:
        """Go on."""
        self._writer.resume()

    def leave(self) -> None:
        """Tell the gateway to send nothing new here."""
        self._writer.send([LEAVING, 0, None])

    def hang_up(self) -> None:
        """Close after what was said."""
        self._writer.close()

    def _take(self, frame: Frame) -> None:
        if not self._is_known:
            self._welcome(frame)
            return
        kind, number, said = frame
        if kind == ASK:
            self._begin(number, said)
        elif kind == CANCEL and number in self.tasks:
            self.tasks[number].cancel()
        elif kind == PING:
            self._writer.send([PONG, 0, self._listener.machine.resources()])

    def _welcome(self, frame: Frame) -> None:
        theirs, given = frame
        listener = self._listener
        expected = proof(listener.secret, "gateway", listener.address, self._nonce)
        if listener.is_leaving or not secrets.compare_digest(given, expected):
            raise PermissionError("it does not know the workspace's secret, or comes too late")
        self._is_known = True
        self._patience.cancel()
        self._frames = reader()
        listener.lines.add(self)
        self._writer.send(proof(listener.secret, "slot", listener.address, theirs))

    def _begin(self, number: int, request: Json) -> None:
        if number in self.tasks:
            raise ValueError(f"request {number} was asked already")
        task = asyncio.get_running_loop().create_task(self._answered(number, request))
        self.tasks[number] = task
        self._listener.load.changed(+1)
        # Not in the task: one that is cancelled before its first step never runs.
        task.add_done_callback(lambda _: self._end(number))

    def _end(self, number: int) -> None:
        del self.tasks[number]
        self._listener.load.changed(-1)

    async def _answered(self, number: int, request: Json) -> None:
        def emit(kind: str, content: Json) -> None:
            try:
                self._writer.send([EVENT, number, [kind, content]])
            except UNSENDABLE as error:
                log.warning("an event of a request can't be sent on: %s", error)

        try:
            answer = await self._listener.answer(request, emit if request["heard"] else None)
            if self._writer.is_full:
                await self._writer.room()
            self._say(number, answer)
        except asyncio.CancelledError:
            self._writer.send([DONE, number, None])
        except Exception as error:
            log.exception("a request failed inside the slot")
            why = f"{type(error).__name__}: {error}"
            self._say(number, unanswered("error", "internal", why))

    def _say(self, number: int, answer: Json) -> None:
        try:
            self._writer.send([DONE, number, answer])
        except UNSENDABLE as error:
            why = f"the answer can't be sent on: {error}"
            self._writer.send([DONE, number, unanswered("error", "unsendable", why)])
