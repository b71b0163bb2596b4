"""A slot replica's end of the channel."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from serve_apps.channel.frames import (
    ASK,
    CANCEL,
    DONE,
    EVENT,
    LEAVING,
    NONCE_BYTES,
    Frame,
    Writer,
    proof,
    reader,
)
from serve_apps.outcome import unanswered

Json = dict[str, Any]
Emit = Callable[[str, Json], None]
Answer = Callable[[Json, Emit | None], Awaitable[Json]]
"""Answers a request; failures come back as data. It tells what happens on the way to `emit`."""

log = logging.getLogger("ray.serve")


class Listener:
    """Takes requests from the gateways that prove to be of this workspace."""

    def __init__(self, secret: bytes, answer: Answer) -> None:
        self.secret = secret
        self.answer = answer
        self.lines: set[Line] = set()
        self._server: asyncio.Server | None = None

    async def open(self, host: str) -> str:
        """Listen on a free port; the address for the gateways."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Line(self), host, 0)
        return f"{host}:{self._server.sockets[0].getsockname()[1]}"

    @property
    def ongoing(self) -> int:
        """Requests that are being answered."""
        return sum(len(line.tasks) for line in self.lines)

    async def close(self, within_s: float) -> None:
        """Take nothing new, bring what was begun to its end, then hang up."""
        if self._server is None:
            return
        self._server.close()
        for line in self.lines:
            line.leave()
        begun = {task for line in self.lines for task in line.tasks.values()}
        if begun:
            await asyncio.wait(begun, timeout=within_s)
        # What was said last leaves in the loop's next turn.
        await asyncio.sleep(0.0)
        for line in list(self.lines):
            line.hang_up()


class Line(asyncio.Protocol):
    """One gateway."""

    def __init__(self, listener: Listener) -> None:
        self.tasks: dict[int, asyncio.Task[None]] = {}
        self._listener = listener
        self._frames = reader()
        self._nonce = secrets.token_bytes(NONCE_BYTES)
        self._is_known = False
        self._transport: asyncio.Transport
        self._writer: Writer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask who it is."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._writer = transport, Writer(transport)
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
        self._listener.lines.discard(self)
        for task in self.tasks.values():
            task.cancel()

    def leave(self) -> None:
        """Tell the gateway to send nothing new here."""
        self._writer.send([LEAVING, 0, None])

    def hang_up(self) -> None:
        """Close after what was said."""
        self._transport.close()

    def _take(self, frame: Frame) -> None:
        if not self._is_known:
            self._welcome(frame)
            return
        kind, number, said = frame
        if kind == ASK:
            task = asyncio.get_running_loop().create_task(self._answered(number, said))
            self.tasks[number] = task
        elif kind == CANCEL and number in self.tasks:
            self.tasks[number].cancel()

    def _welcome(self, frame: Frame) -> None:
        theirs, given = frame
        secret = self._listener.secret
        if not secrets.compare_digest(given, proof(secret, "gateway", self._nonce)):
            raise PermissionError("it does not know the workspace's secret")
        self._is_known = True
        self._listener.lines.add(self)
        self._writer.send(proof(secret, "slot", theirs))

    async def _answered(self, number: int, request: Json) -> None:
        def emit(kind: str, content: Json) -> None:
            self._writer.send([EVENT, number, [kind, content]])

        try:
            answer = await self._listener.answer(request, emit if request["heard"] else None)
            self._say(number, answer)
        except asyncio.CancelledError:
            with contextlib.suppress(RuntimeError):
                self._writer.send([DONE, number, None])
        finally:
            self.tasks.pop(number, None)

    def _say(self, number: int, answer: Json) -> None:
        try:
            self._writer.send([DONE, number, answer])
        except (TypeError, ValueError, OverflowError) as error:
            why = f"the answer can't be sent on: {error}"
            self._writer.send([DONE, number, unanswered("error", "unsendable", why)])
