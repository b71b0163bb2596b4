"""A closed loop of connections in a process of its own, which counts answers and times them."""

import asyncio
import contextlib
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import numpy as np
import uvloop
from pydantic import BaseModel, ConfigDict

LAST_ANSWER_S = 60.0


class Ask(BaseModel):
    """What every connection asks again and again, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    body: str
    connections: int
    duration_s: float
    settle_s: float = 0.5
    """Answers to what was asked before this are not counted: connections open, caches fill."""


class Load(BaseModel):
    """What a load brought: answers a second and how long one took."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connections: int
    requests: int
    errors: int
    first_error: str
    """The head of the first answer that was none; empty without errors."""
    requests_per_s: float
    p50_ms: float | None
    p99_ms: float | None
    cpu_s: float
    """What the loader itself used, from its first request to its last."""


class Tally:
    """What all connections of a load found so far."""

    def __init__(self, counts_from: float, stops_at: float) -> None:
        self.counts_from = counts_from
        self.stops_at = stops_at
        self.durations: list[float] = []
        self.errors = 0
        self.first_error = ""

    def answered(self, began: float) -> None:
        """One more answer, unless it was asked too early to count."""
        if began >= self.counts_from:
            self.durations.append(time.perf_counter() - began)

    def failed(self, why: bytes) -> None:
        """One more error, early or not."""
        self.errors += 1
        if self.errors == 1:
            self.first_error = why[:300].decode(errors="replace")


class Connection(asyncio.Protocol):
    """Writes one prepared request, awaits its whole answer, writes it again.

    It reads no more of an answer than where it ends, so that the load costs little beside what
    it is a load on.
    """

    def __init__(self, request: bytes, tally: Tally, closed: "asyncio.Future[None]") -> None:
        self._request = request
        self._tally = tally
        self._closed = closed
        self._began = 0.0
        self._got = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the first time."""
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Ask again once the answer is whole."""
        self._got = self._got + data if self._got else data
        if not is_whole(self._got):
            return
        if self._got[9:12] == b"200":
            self._tally.answered(self._began)
        else:
            self._tally.failed(self._got)
        self._got = b""
        if time.perf_counter() < self._tally.stops_at:
            self._ask()
        else:
            self._began = 0.0
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """An answer that was under way is lost."""
        if self._began:
            self._tally.failed(f"the connection was closed: {exc}".encode())
        if not self._closed.done():
            self._closed.set_result(None)

    def _ask(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._request)


def is_whole(got: bytes) -> bool:
    """Whether these bytes are an HTTP/1.1 answer with all of its body."""
    head, end, body = got.partition(b"\r\n\r\n")
    if not end:
        return False
    _, named, rest = head.lower().partition(b"\r\ncontent-length:")
    if named:
        return len(body) >= int(rest.partition(b"\r\n")[0])
    return body.endswith(b"0\r\n\r\n")


def request_of(url: str, body: str) -> bytes:
    """A POST of this JSON, as its bytes."""
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body.encode())}\r\n\r\n"
    )
    return head.encode() + body.encode()


async def load(ask: Ask, stop: asyncio.Event) -> Load:
    """Keep this many connections busy for this long, or until told to stop."""
    parts = urlsplit(ask.url)
    host, port = parts.hostname or "", parts.port or 80
    request = request_of(ask.url, ask.body)
    began, cpu_began = time.perf_counter(), _cpu_s()
    tally = Tally(began + ask.settle_s, began + ask.settle_s + ask.duration_s)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(_kept_busy(host, port, request, tally))
            for _ in range(ask.connections)
        ]
        telling = asyncio.create_task(_told(stop, tally))
        await asyncio.wait(tasks)
        telling.cancel()
    seconds = tally.stops_at - tally.counts_from
    p50, p99 = np.percentile(tally.durations, [50, 99]) * 1e3 if tally.durations else (None, None)
    return Load(
        connections=ask.connections,
        requests=len(tally.durations),
        errors=tally.errors,
        first_error=tally.first_error,
        requests_per_s=len(tally.durations) / seconds,
        p50_ms=p50,
        p99_ms=p99,
        cpu_s=_cpu_s() - cpu_began,
    )


async def _kept_busy(host: str, port: int, request: bytes, tally: Tally) -> None:
    """A connection for the whole time: one that the other side closes is opened again."""
    loop = asyncio.get_running_loop()
    while time.perf_counter() < tally.stops_at:
        closed = loop.create_future()
        try:
            connection = partial(Connection, request, tally, closed)
            await loop.create_connection(connection, host, port)
        except OSError as error:
            tally.failed(f"no connection: {error}".encode())
            await asyncio.sleep(0.1)
        else:
            await closed


async def _told(stop: asyncio.Event, tally: Tally) -> None:
    await stop.wait()
    tally.stops_at = min(tally.stops_at, time.perf_counter())


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def loaded(ask: Ask) -> Load:
    """The whole load, from a process of its own."""
    with loading(ask) as process:
        assert process.stdout is not None
        process.wait(timeout=ask.settle_s + ask.duration_s + LAST_ANSWER_S)
        return Load.model_validate_json(process.stdout.read())


@contextlib.contextmanager
def loading(ask: Ask) -> Iterator["subprocess.Popen[str]"]:
    """A load that goes on beside the block; `stopped` ends it early and tells what it brought."""
    command = [sys.executable, "-m", "cluster.bench.load", ask.model_dump_json()]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=10.0)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def stopped(process: "subprocess.Popen[str]") -> Load:
    """End a load that goes on."""
    told, _ = process.communicate(timeout=LAST_ANSWER_S)
    return Load.model_validate_json(told)


async def _main(ask: Ask) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def until_closed() -> None:
        sys.stdin.read()
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=until_closed, daemon=True).start()
    print((await load(ask, stop)).model_dump_json())


if __name__ == "__main__":
    uvloop.run(_main(Ask.model_validate_json(sys.argv[1])))
