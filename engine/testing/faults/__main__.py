"""`python -m engine.testing.faults`: the fault model server as a process of its own."""

import argparse
import asyncio
import json
import os
import signal
import stat
import sys
from pathlib import Path

from engine.config.source import load
from engine.testing.faults.script import Script
from engine.testing.faults.server import Server


def main() -> None:
    """Serve until SIGTERM, or until a parent that holds standard input as a pipe lets go of it."""
    parser = argparse.ArgumentParser(prog="python -m engine.testing.faults", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--script", type=Path, help="a YAML or JSON file; without one it answers")
    parser.add_argument("--seed", type=int, default=0, help="of the random mix of faults")
    parser.add_argument(
        "--when-told", action="store_true", help="say so when ready, and listen at a line of input"
    )
    given = parser.parse_args()
    script = load(given.script, Script) if given.script else Script()
    if given.when_told:
        _say({"ready": True})
        sys.stdin.readline()
    asyncio.run(_serve(Server(script, given.seed), given.port))


async def _serve(server: Server, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    listening = await server.listen(port)
    watching = asyncio.create_task(_until_alone(stop))
    taken = listening.sockets[0].getsockname()[1]
    _say({"port": taken})
    await stop.wait()
    watching.cancel()
    listening.close()


def _say(what: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def _until_alone(stop: asyncio.Event) -> None:
    mode = os.fstat(sys.stdin.fileno()).st_mode
    # A terminal, a file or /dev/null says nothing about a parent.
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while await reader.read(1_024):
        pass
    stop.set()


if __name__ == "__main__":
    main()
