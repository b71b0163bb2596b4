"""HTTP/1.1 by hand, so that it can also be spoken wrongly."""

import asyncio
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

LONGEST_HEAD = 1 << 20
SETTLE_S = 0.02
"""How long the other side gets to read what was sent before its connection is torn."""


@dataclass(frozen=True)
class Request:
    """A request as it came in."""

    method: str
    path: str
    content: bytes
    keep: bool
    """Whether the client wants the connection kept."""


@dataclass(frozen=True)
class Response:
    """A response in the pieces that it is sent in."""

    pieces: Sequence[bytes]
    status: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False
    before_s: float = 0.0
    between_s: float = 0.0

    def head(self, *, off_by: int = 0) -> bytes:
        """The status line and the headers, the length wrong by some bytes if so wished."""
        known = {status.value: status.phrase for status in HTTPStatus}
        length = sum(map(len, self.pieces)) + off_by
        framing = ("transfer-encoding", "chunked")
        if not self.chunked:
            framing = ("content-length", str(max(0, length)))
        named = {"content-type": self.content_type, framing[0]: framing[1], **self.headers}
        lines = [f"HTTP/1.1 {self.status} {known.get(self.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in named.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def frames(self) -> list[bytes]:
        """The body as it goes over the wire."""
        if not self.chunked:
            return list(self.pieces)
        return [*(chunk(piece) for piece in self.pieces), b"0\r\n\r\n"]


def chunk(piece: bytes) -> bytes:
    """One piece in chunked framing."""
    return b"%x\r\n%s\r\n" % (len(piece), piece)


class Wire:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.ended = False

    async def read(self) -> Request | None:
        """The next request; None where the client is done or sends no HTTP."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
            method, path, version = first.split(" ")
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines)
            }
            content = await self._content(headers)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError, OSError):
            return None
        close = headers.get("connection", "").lower() == "close" or version == "HTTP/1.0"
        return Request(method, path.partition("?")[0], content, keep=not close)

    async def put(self, content: bytes) -> None:
        """Send bytes as they stand."""
        self._writer.write(content)
        await self._writer.drain()

    async def send(self, response: Response) -> None:
        """Send a whole response at its own pace."""
        await asyncio.sleep(response.before_s)
        first, *rest = response.frames()
        # One segment less for most answers.
        await self.put(response.head() + first)
        for frame in rest:
            if response.between_s:
                await asyncio.sleep(response.between_s)
            await self.put(frame)

    async def end(self, *, reset: bool) -> None:
        """Close the connection, with a reset instead of a goodbye if so wished."""
        self.ended = True
        await asyncio.sleep(SETTLE_S)
        if not reset:
            self._writer.close()
            return
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def _content(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return await self._reader.readexactly(int(headers.get("content-length", "0")))
        parts: list[bytes] = []
        while size := int((await self._reader.readuntil(b"\r\n")).split(b";")[0], 16):
            parts.append((await self._reader.readexactly(size + 2))[:-2])
        await self._reader.readuntil(b"\r\n")
        return b"".join(parts)
