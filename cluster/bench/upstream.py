"""An OpenAI-compatible upstream that answers at once, or after as long as it is told to."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import cast
from urllib.parse import urlsplit

import uvloop

CONTENT = "Yes."
ANSWER = json.dumps(
    {
        "id": "chatcmpl-instant",
        "object": "chat.completion",
        "created": 0,
        "model": "instant",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": CONTENT},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
    len(ANSWER),
    ANSWER,
)
START_S = 20.0


class Delay:
    """How long every answer takes from now on."""

    seconds = 0.0


class Upstream(asyncio.Protocol):
    """One connection; a `PUT /delay/SECONDS` on any of them sets the delay of all."""

    def __init__(self, delay: Delay) -> None:
        self._delay = delay
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for what is asked."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request as soon as it is whole."""
        self._got = self._got + data if self._got else data
        while end := end_of(self._got):
            head, self._got = self._got[:64], self._got[end:]
            if head.startswith(b"PUT /delay/"):
                self._delay.seconds = float(head.split(b" ")[1].rpartition(b"/")[2])
                self._transport.write(RESPONSE)
            elif self._delay.seconds:
                loop = asyncio.get_running_loop()
                loop.call_later(self._delay.seconds, self._transport.write, RESPONSE)
            else:
                self._transport.write(RESPONSE)


def end_of(got: bytes) -> int:
    """Where the first request in these bytes ends; 0 while it is not whole."""
    head, end, body = got.partition(b"\r\n\r\n")
    if not end:
        return 0
    _, named, rest = head.lower().partition(b"\r\ncontent-length:")
    length = int(rest.partition(b"\r\n")[0]) if named else 0
    return len(head) + len(end) + length if len(body) >= length else 0


@contextlib.contextmanager
def upstream(port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """An upstream in a process of its own, listening on loopback."""
    process = subprocess.Popen([sys.executable, "-m", "cluster.bench.upstream", str(port)])
    try:
        give_up = time.monotonic() + START_S
        while not _listens(port) and time.monotonic() < give_up:
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=10)


def delay_answers(base_url: str, seconds: float) -> None:
    """Let every answer from now on take this long."""
    parts = urlsplit(base_url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5.0) as said:
        said.sendall(f"PUT /delay/{seconds:g} HTTP/1.1\r\n\r\n".encode())
        said.recv(4_096)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


async def _main(port: int) -> None:
    loop, delay = asyncio.get_running_loop(), Delay()
    server = await loop.create_server(lambda: Upstream(delay), "127.0.0.1", port, backlog=2_048)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1])))
