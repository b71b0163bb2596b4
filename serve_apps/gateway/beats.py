"""Keeps the way to a client open while its stream has nothing to tell."""

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from serve_apps.protection.outflow import Send

BEAT_S = 5.0
STILL_HERE = b": still here\n\n"
"""A comment, which whoever reads events passes over."""


@asynccontextmanager
async def beating(send: Send, beat_s: float = BEAT_S) -> AsyncGenerator[Send]:
    """A way of sending that lets no two beats pass in silence, until it has sent the end."""
    beats = _Beats(send, beat_s)
    try:
        yield beats.tell
    finally:
        await beats.close()


class _Beats:
    """Sends what it is told to, and a comment where it was told nothing for a beat."""

    def __init__(self, send: Send, beat_s: float) -> None:
        self._send = send
        self._told = self._busy = False
        self._beating = asyncio.get_running_loop().create_task(self._beat(beat_s))

    async def tell(self, message: MutableMapping[str, Any]) -> None:
        """Send a message on."""
        self._told = self._busy = True
        if not message.get("more_body"):
            self._beating.cancel()
        try:
            await self._send(message)
        finally:
            self._busy = False

    async def close(self) -> None:
        """Say nothing more."""
        self._beating.cancel()
        with suppress(asyncio.CancelledError, OSError):
            await self._beating

    async def _beat(self, beat_s: float) -> None:
        while True:
            await asyncio.sleep(beat_s)
            # A client that hasn't taken the last piece yet knows that somebody is here.
            if not self._told and not self._busy:
                comment = {"type": "http.response.body", "body": STILL_HERE, "more_body": True}
                await self._send(comment)
            self._told = False
