"""What travels between a gateway and a slot's replica: msgpack values, one after the other."""

import asyncio
import hashlib
import hmac
import socket
from collections.abc import Callable
from typing import Any

import msgpack

MOST_BYTES = 64 << 20
"""Of one frame: a longer one isn't sent, and whoever sends one is cut off."""
FULL_BYTES = 4 << 20
"""That wait for a peer; above it, senders that can wait do."""
MOST_WAITING_BYTES = 128 << 20
"""That wait for a peer; one that lets more gather is cut off."""
NONCE_BYTES = 16
CHUNK_BYTES = 4 << 20

ASK, EVENT, DONE, CANCEL, LEAVING, PING, PONG = range(7)
"""Kinds of frames. ASK, CANCEL and PING go to the slot; EVENT, DONE, LEAVING and PONG come back."""

UNSENDABLE = (TypeError, ValueError, OverflowError)
"""What packing raises for values that can't travel."""

Frame = list[Any]
"""The kind, the request's number and what is said."""

KERNEL = (
    ("SOL_SOCKET", "SO_KEEPALIVE", 1),
    ("IPPROTO_TCP", "TCP_KEEPIDLE", 10),
    ("IPPROTO_TCP", "TCP_KEEPINTVL", 5),
    ("IPPROTO_TCP", "TCP_KEEPCNT", 4),
    ("IPPROTO_TCP", "TCP_USER_TIMEOUT", 30_000),
)
"""How the kernel finds that a peer's machine has vanished; not every system knows every name."""


def proof(secret: bytes, who: str, address: str, nonce: bytes) -> bytes:
    """What only a holder of the workspace's secret can answer to a nonce.

    The address is part of it: a stranger in between, or a replica that was given the port of one
    that is gone, can't pass for the one that was meant.
    """
    return hmac.new(secret, f"{who} {address} ".encode() + nonce, hashlib.sha256).digest()


class Writer:
    """Sends frames, those of one turn of the loop in one piece: a system call each is dear."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []
        self._room = asyncio.Event()
        self._room.set()
        # A packer keeps its buffer, and one pack is over before the next begins.
        self._pack: Callable[[Any], bytes] = msgpack.Packer(
            use_bin_type=True, unicode_errors="surrogatepass"
        ).pack
        transport.set_write_buffer_limits(high=FULL_BYTES)
        _watched_by_the_kernel(transport)

    @property
    def is_full(self) -> bool:
        """The peer reads more slowly than it is told."""
        return not self._room.is_set()

    async def room(self) -> None:
        """Wait until the peer has read what waits for it, or is gone."""
        await self._room.wait()

    def send(self, frame: object) -> None:
        """Hand over a frame; it leaves in this turn of the loop.

        Raises:
            TypeError, ValueError, OverflowError: It holds something that can't travel, or is
                too long.
        """
        packed = self._pack(frame)
        if len(packed) > MOST_BYTES:
            raise ValueError(f"it takes {len(packed)} bytes, of at most {MOST_BYTES}")
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(packed)

    def pause(self) -> None:
        """The transport holds more than it should."""
        self._room.clear()

    def resume(self) -> None:
        """The transport has room again, or is gone."""
        self._room.set()

    def close(self) -> None:
        """Hang up after everything that was said."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        whole, self._waiting = b"".join(self._waiting), []
        if not whole or self._transport.is_closing():
            return
        self._transport.write(whole)
        if self._transport.get_write_buffer_size() > MOST_WAITING_BYTES:
            self._transport.abort()


def reader(most_bytes: int = MOST_BYTES + CHUNK_BYTES) -> msgpack.Unpacker:
    """Takes bytes as they arrive and gives the frames that are whole."""
    return msgpack.Unpacker(
        raw=False,
        max_buffer_size=most_bytes,
        strict_map_key=False,
        unicode_errors="surrogatepass",
    )


def _watched_by_the_kernel(transport: asyncio.Transport) -> None:
    plug = transport.get_extra_info("socket")
    for level, name, value in KERNEL:
        if hasattr(socket, name):
            plug.setsockopt(getattr(socket, level), getattr(socket, name), value)
