"""A gateway's end of the channel: a line to every replica that answers for a slot."""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from engine.errors import ConfigError
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

Json = dict[str, Any]
Hear = Callable[[str, Json], None]
OPEN_S = 2.0
AGAIN_S = 0.5

log = logging.getLogger("ray.serve")


class LineLostError(Exception):
    """The replica died, or hung up, before it had answered."""


class Line(asyncio.Protocol):
    """One replica: many requests at once, answered in any order."""

    def __init__(self, secret: bytes) -> None:
        self.is_open = False
        """Requests may be sent; not before the replica proved itself, nor when it is leaving."""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()
        self._secret = secret
        self._nonce = secrets.token_bytes(NONCE_BYTES)
        self._frames = reader()
        self._said_hello = False
        self._next = 0
        self._waiting: dict[int, tuple[asyncio.Future[Json | None], Hear | None]] = {}
        self._transport: asyncio.Transport
        self._writer: Writer

    @property
    def ongoing(self) -> int:
        """Requests without an answer."""
        return len(self._waiting)

    async def ask(self, request: Json, hear: Hear | None = None) -> Json:
        """The replica's answer; whoever stops waiting cancels the request there.

        Raises:
            ConfigError: The request holds what can't travel, such as a number of 70 bits.
            LineLostError: There is none.
        """
        self._next += 1
        number = self._next
        done: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        try:
            self._writer.send([ASK, number, request])
        except (TypeError, ValueError, OverflowError) as error:
            raise ConfigError(f"the request can't be sent on: {error}") from error
        self._waiting[number] = (done, hear)
        try:
            answer = await done
        except asyncio.CancelledError:
            if not self._transport.is_closing():
                self._writer.send([CANCEL, number, None])
            raise
        finally:
            self._waiting.pop(number, None)
        if answer is None:
            raise LineLostError("the replica gave up the request")
        return answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the replica's nonce."""
        assert isinstance(transport, asyncio.Transport)
        self._transport, self._writer = transport, Writer(transport)

    def data_received(self, data: bytes) -> None:
        """Take whole frames."""
        try:
            self._frames.feed(data)
            for frame in self._frames:
                self._take(frame)
        except Exception as error:  # noqa: BLE001 - whatever it was, this end can't be trusted
            log.warning("a slot's line is closed: %r", error)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        self.is_open = False
        self.lost.set()
        error = LineLostError(f"the replica is gone: {exc!r}")
        for done, _ in self._waiting.values():
            if not done.done():
                done.set_exception(error)
        if not self.ready.done():
            self.ready.set_exception(error)
        # Nobody may be waiting for it to become ready.
        with contextlib.suppress(LineLostError, asyncio.CancelledError, asyncio.InvalidStateError):
            self.ready.exception()

    def hang_up(self) -> None:
        """Send nothing any more, and close once everything is answered."""
        self.is_open = False
        if not self._waiting:
            self._transport.close()

    def _take(self, frame: Any) -> None:
        if not self.ready.done():
            self._prove(frame)
            return
        self._hear(frame)

    def _prove(self, said: bytes) -> None:
        if not self._said_hello:
            self._said_hello = True
            self._writer.send([self._nonce, proof(self._secret, "gateway", said)])
        elif secrets.compare_digest(said, proof(self._secret, "slot", self._nonce)):
            self.is_open = True
            self.ready.set_result(None)
        else:
            raise PermissionError("it does not know the workspace's secret")

    def _hear(self, frame: Frame) -> None:
        kind, number, said = frame
        if kind == LEAVING:
            self.is_open = False
            return
        done, hear = self._waiting.get(number, (None, None))
        if kind == DONE and done is not None and not done.done():
            done.set_result(said)
        elif kind == EVENT and hear is not None:
            hear(*said)


class Lines:
    """The lines to the replicas of every slot, opened as the snapshots name them."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._wanted: Mapping[str, Sequence[str]] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._lines: dict[str, Line] = {}
        self._dice = random.Random()

    def follow(self, addresses: Mapping[str, Sequence[str]]) -> None:
        """Hold a line to each of these replicas, by slot, and to no other."""
        self._wanted = addresses
        wanted = {address for each in addresses.values() for address in each}
        for address in wanted - self._keepers.keys():
            self._keepers[address] = asyncio.get_running_loop().create_task(self._keep(address))
        for address in self._keepers.keys() - wanted:
            self._keepers.pop(address).cancel()
            if line := self._lines.pop(address, None):
                line.hang_up()

    def choose(self, slot: str) -> Line | None:
        """The less busy of two replicas drawn at random; None where no line is open."""
        found = [
            line
            for address in self._wanted.get(slot, ())
            if (line := self._lines.get(address)) is not None and line.is_open
        ]
        if len(found) > 2:
            found = self._dice.sample(found, 2)
        return min(found, key=lambda line: line.ongoing, default=None)

    def close(self) -> None:
        """Hang up."""
        self.follow({})

    async def _keep(self, address: str) -> None:
        """Keep a line open until nobody wants it."""
        host, _, port = address.rpartition(":")
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(OSError, LineLostError, TimeoutError):
                async with asyncio.timeout(OPEN_S):
                    _, line = await loop.create_connection(
                        lambda: Line(self._secret), host, int(port)
                    )
                    await line.ready
                self._lines[address] = line
                await line.lost.wait()
                self._lines.pop(address, None)
            await asyncio.sleep(AGAIN_S)
