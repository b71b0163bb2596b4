"""What travels between a gateway and a slot's replica: msgpack values, one after the other."""

import asyncio
import hashlib
import hmac
from collections.abc import Callable
from typing import Any

import msgpack

MOST_BYTES = 64 << 20
"""Of one frame; whoever sends more is cut off."""
NONCE_BYTES = 16

ASK, EVENT, DONE, CANCEL, LEAVING = range(5)
"""Kinds of frames. ASK, CANCEL go to the slot; EVENT, DONE and LEAVING come from it."""

Frame = list[Any]
"""The kind, the request's number and what is said."""


def proof(secret: bytes, who: str, nonce: bytes) -> bytes:
    """What only a holder of the workspace's secret can answer to a nonce."""
    return hmac.new(secret, who.encode() + nonce, hashlib.sha256).digest()


class Writer:
    """Sends frames, those of one turn of the loop in one piece: a system call each is dear."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []
        # A packer keeps its buffer, and one pack is over before the next begins.
        self._pack: Callable[[Any], bytes] = msgpack.Packer(
            use_bin_type=True, unicode_errors="surrogatepass"
        ).pack

    def send(self, frame: object) -> None:
        """Hand over a frame; it leaves in this turn of the loop.

        Raises:
            TypeError: It holds something that can't travel.
        """
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(self._pack(frame))

    def _flush(self) -> None:
        whole, self._waiting = b"".join(self._waiting), []
        if not self._transport.is_closing():
            self._transport.write(whole)


def reader() -> msgpack.Unpacker:
    """Takes bytes as they arrive and gives the frames that are whole."""
    return msgpack.Unpacker(
        raw=False,
        max_buffer_size=MOST_BYTES,
        strict_map_key=False,
        unicode_errors="surrogatepass",
    )
