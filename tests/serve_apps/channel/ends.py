"""Both ends of the channel, and a slot's replica as a process of its own."""

import asyncio
import contextlib
import os
import signal
import sys

from serve_apps.channel.lines import Lines, Patience
from serve_apps.channel.listener import Listener

SECRET = b"a workspace's own secret"
SLOT = "slot-0"
HASTY = Patience(ping_s=0.02, doubted_pings=3, lost_pings=8)


async def echo(request, emit):
    """Answers what it is told to, as it is told to."""
    if emit is not None:
        for number in range(request.get("events", 1)):
            emit("chunk", {"text": request.get("text", ""), "number": number})
    if "fails" in request:
        raise RuntimeError(request["fails"])
    await asyncio.sleep(request.get("sleep_s", 0.0))
    return {"said": request.get("said"), "pid": os.getpid()}


def asking(**said):
    return {"heard": False, **said}


@contextlib.asynccontextmanager
async def listener(answer=echo, secret=SECRET, **settings):
    made = Listener(secret, answer, **settings)
    await made.open("127.0.0.1")
    try:
        yield made
    finally:
        await made.close(0.0)


@contextlib.asynccontextmanager
async def lines(*addresses, secret=SECRET, patience=HASTY):
    made = Lines(secret, patience=patience)
    made.follow({SLOT: addresses})
    try:
        yield made
    finally:
        made.close()


@contextlib.asynccontextmanager
async def connected(**settings):
    """A listener, and the line that a gateway has to it."""
    async with listener(**settings) as there, lines(there.address) as here:
        yield there, here, await opened(here)


async def opened(here, other_than=None):
    """The line, once it is open."""
    await until(lambda: here.choose(SLOT) not in (None, other_than))
    return here.choose(SLOT)


async def until(condition, within_s=5.0):
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - nothing of it can set an event here
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def replica():
    """A replica that may be killed or frozen; its process and its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.serve_apps.channel.ends", stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.kill()
        await process.wait()


async def _stay():
    async with listener() as there:
        print(there.address, flush=True)  # noqa: T201 - its parent reads it
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_stay())
