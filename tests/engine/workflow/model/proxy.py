"""A proxy on a real socket that forwards http and tunnels https, and notes what it was asked."""

import asyncio
import contextlib
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Proxy:
    """Lets every request through; each connection carries one."""

    heads: list = field(default_factory=list)
    url: str = ""

    async def serve(self, reader, writer):
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head.decode().lower())
            method, target, _ = head.split(b"\r\n")[0].split()
            there = urlsplit(b"//" + target if method == b"CONNECT" else target)
            beyond, to = await asyncio.open_connection(there.hostname.decode(), there.port)
            if method == b"CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                to.write(head)
            async with asyncio.TaskGroup() as both:
                both.create_task(pumped(reader, to))
                both.create_task(pumped(beyond, writer))


async def pumped(reader, writer):
    with contextlib.suppress(ConnectionError):
        while block := await reader.read(65_536):
            writer.write(block)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def proxying():
    proxy = Proxy()
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
