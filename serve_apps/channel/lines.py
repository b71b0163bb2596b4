"""A gateway's end of the channel: a line to every replica that answers for a slot."""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from engine.config.workflow import ReplicaChoice
from engine.errors import ConfigError
from serve_apps.channel.choosing import chosen
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
from serve_apps.channel.resources import Resources

Json = dict[str, Any]
Hear = Callable[[str, Json], None]
OPEN_S = 2.0
AGAIN_S = 0.5

log = logging.getLogger("ray.serve")


@dataclass(frozen=True)
class Patience:
    """How long a replica may say nothing.

    Pings are counted, not seconds: a gateway that was frozen itself must not take everybody else
    for dead.
    """

    ping_s: float = 1.0
    doubted_pings: int = 3
    """Without an answer; such a replica gets nothing new while another one speaks."""
    lost_pings: int = 20
    """Such a replica is given up, and what it was asked with it."""


class LineLostError(Exception):
    """The replica died, or hung up, before it had answered."""


class Line(asyncio.Protocol):
    """One replica: many requests at once, answered in any order."""

    def __init__(self, secret: bytes, address: str) -> None:
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.lost = asyncio.Event()
        self.resources: Resources | None = None
        """What the replica's machine has free, as it told last."""
        self._address = address
        self._secret = secret
        self._nonce = secrets.token_bytes(NONCE_BYTES)
        self._frames = reader()
        self._said_hello = False
        self._is_proven = False
        self._is_ending = False
        self._silent_pings = 0
        self._next = 0
        self._waiting: dict[int, tuple[asyncio.Future[Json | None], Hear | None]] = {}
        self._transport: asyncio.Transport
        self._writer: Writer

    @property
    def is_open(self) -> bool:
        """Requests may be sent; not before the replica proved itself, nor when it is leaving."""
        return self._is_proven and not self._is_ending and not self.lost.is_set()

    @property
    def ongoing(self) -> int:
        """Requests without an answer."""
        return len(self._waiting)

    def keeps_up(self, patience: Patience) -> bool:
        """Whether the replica reads what it is sent, and says something now and then."""
        return not self._writer.is_full and self._silent_pings < patience.doubted_pings

    async def ask(self, request: Json, hear: Hear | None = None) -> Json:
        """The replica's answer; whoever stops waiting cancels the request there.

        Raises:
            ConfigError: The request holds what can't travel, such as a number of 70 bits.
            LineLostError: There is none.
        """
        if self.lost.is_set():
            raise LineLostError("the replica is gone")
        self._next += 1
        number = self._next
        done: asyncio.Future[Json | None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = (done, hear)
        try:
            if self._writer.is_full:
                await self._writer.room()
            self._send_on(number, request)
            answer = await done
        except asyncio.CancelledError:
            self._writer.send([CANCEL, number, None])
            raise
        finally:
            del self._waiting[number]
            self._hang_up_if_over()
        if answer is None:
            raise LineLostError("the replica gave up the request")
        return answer

    async def watched(self, patience: Patience) -> None:
        """Ask for signs of life until the replica is gone, or is taken for gone."""
        while not self.lost.is_set():
            self._silent_pings += 1
            if self._silent_pings > patience.lost_pings:
                log.warning("the replica at %s says nothing any more", self._address)
                self._transport.abort()
            self._writer.send([PING, 0, None])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience.ping_s):
                    await self.lost.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the replica's nonce."""
        # uvloop's, which Ray's workers use, are transports by their ways alone.
        transport = cast(asyncio.Transport, transport)
        self._transport, self._writer = transport, Writer(transport)

    def data_received(self, data: bytes) -> None:
        """Take whole frames."""
        self._silent_pings = 0
        try:
            self._frames.feed(data)
            for frame in self._frames:
                self._take(frame)
        except Exception as error:  # noqa: BLE001 - whatever it was, this end can't be trusted
            log.warning("a slot's line is closed: %r", error)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody who waits."""
        self.lost.set()
        self._writer.resume()
        error = LineLostError(f"the replica is gone: {exc!r}")
        for done, _ in self._waiting.values():
            if not done.done():
                done.set_exception(error)
        if not self.ready.done():
            self.ready.set_exception(error)
        # Nobody may be waiting for it to become ready.
        with contextlib.suppress(LineLostError, asyncio.CancelledError):
            self.ready.exception()

    def pause_writing(self) -> None:
        """Let what is asked wait in its own request, with its own deadline."""
        self._writer.pause()

    def resume_writing(self) -> None:
        """Go on."""
        self._writer.resume()

    def hang_up(self) -> None:
        """Send nothing new any more, and close once everything is answered."""
        self._is_ending = True
        self._hang_up_if_over()

    def _hang_up_if_over(self) -> None:
        if self._is_ending and not self._waiting:
            self._writer.close()

    def _send_on(self, number: int, request: Json) -> None:
        try:
            self._writer.send([ASK, number, request])
        except UNSENDABLE as error:
            raise ConfigError(f"the request can't be sent on: {error}") from error

    def _take(self, frame: Any) -> None:
        if self._is_proven:
            self._hear(frame)
        else:
            self._prove(frame)

    def _prove(self, said: bytes) -> None:
        if not self._said_hello:
            self._said_hello = True
            given = proof(self._secret, "gateway", self._address, said)
            self._writer.send([self._nonce, given])
            return
        expected = proof(self._secret, "slot", self._address, self._nonce)
        if not secrets.compare_digest(said, expected):
            raise PermissionError("it does not know the workspace's secret")
        self._is_proven = True
        if not self.ready.done():
            self.ready.set_result(None)

    def _hear(self, frame: Frame) -> None:
        kind, number, said = frame
        if kind == LEAVING:
            self.hang_up()
        elif kind == PONG:
            self.resources = Resources(*said)
        elif number in self._waiting:
            done, hear = self._waiting[number]
            if kind == DONE and not done.done():
                done.set_result(said)
            elif kind == EVENT and hear is not None and not done.done():
                self._tell(number, done, hear, said)

    def _tell(
        self, number: int, done: "asyncio.Future[Json | None]", hear: Hear, said: list[Any]
    ) -> None:
        try:
            hear(*said)
        except Exception as error:  # noqa: BLE001 - it is the asker's, and his alone
            self._writer.send([CANCEL, number, None])
            done.set_exception(error)


class Lines:
    """The lines to the replicas of every slot, opened as the snapshots name them."""

    def __init__(
        self,
        secret: bytes,
        choice: ReplicaChoice = "in_flight",
        patience: Patience = Patience(),
    ) -> None:
        self._secret = secret
        self._choice: ReplicaChoice = choice
        self._patience = patience
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
        """A replica that keeps up, if any does; None where no line is open."""
        found = [
            line
            for address in self._wanted.get(slot, ())
            if (line := self._lines.get(address)) is not None and line.is_open
        ]
        able = [line for line in found if line.keeps_up(self._patience)]
        return chosen(able or found, self._choice, self._dice)

    def close(self) -> None:
        """Hang up."""
        self.follow({})

    async def _keep(self, address: str) -> None:
        """Keep a line open until nobody wants it."""
        while True:
            with contextlib.suppress(OSError, LineLostError, TimeoutError):
                line = await self._opened(address)
                self._lines[address] = line
                await line.watched(self._patience)
                self._lines.pop(address, None)
            await asyncio.sleep(AGAIN_S)

    async def _opened(self, address: str) -> Line:
        host, _, port = address.partition("/")[0].rpartition(":")
        async with asyncio.timeout(OPEN_S):
            transport, line = await asyncio.get_running_loop().create_connection(
                lambda: Line(self._secret, address), host, int(port)
            )
            try:
                await line.ready
            except BaseException:
                transport.abort()
                raise
        return line
