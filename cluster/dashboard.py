"""optuna-dashboard on a workspace's study, in a process of its own that only reads."""

import contextlib
import importlib.util
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import quote

import httpx2
from sqlalchemy import URL

from engine.errors import ClusterError, ConfigError

HOST = "127.0.0.1"
PORT = 8080
PACKAGE = "optuna_dashboard"
START_S = 60.0
STOP_S = 5.0


@contextlib.contextmanager
def study_page(root: Path, port: int = PORT) -> Iterator[str]:
    """The page's address; it answers on this machine alone, and no longer than the block lasts.

    Raises:
        ConfigError: The package is missing, or the port is somebody else's.
        ClusterError: The page did not come up.
    """
    # Not above: the page's own process loads this module, and it needs no Ray.
    from search.searcher import storage_of

    _require_package()
    _require_port(port)
    # The page makes no tables, and the first trial may be minutes away.
    storage_of(root)
    url = f"http://{HOST}:{port}"
    log = root / "dashboard.log"
    process = _start(root, port, log)
    try:
        _wait_for(url, process, log)
        yield url
    finally:
        _end(process)


def _start(root: Path, port: int, log: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "cluster.dashboard", _read_only(root / "study.db")]
    command += ["--host", HOST, "--port", str(port), "--server", "wsgiref"]
    with log.open("wb") as file:
        # A session of its own: Ctrl-C is for the search, which ends the page when it is done.
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=file, stderr=file, start_new_session=True
        )


def _read_only(database: Path) -> str:
    """The study's address for a reader: its page could delete a study that is being searched."""
    name = f"file:{quote(str(database.resolve()))}"
    address = URL.create("sqlite", database=name, query={"mode": "ro", "uri": "true"})
    return address.render_as_string()


def _require_package() -> None:
    if importlib.util.find_spec(PACKAGE) is None:
        raise ConfigError("--dashboard needs a package: pip install 'trimtab[dashboard]'")


def _require_port(port: int) -> None:
    with socket.socket() as probe:
        # As the page's server does it: a connection that just ended does not hold a port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            why = f"port {port} is not free ({error.strerror}); name another with --dashboard-port"
            raise ConfigError(why) from error


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    give_up = time.monotonic() + START_S
    with httpx2.Client(base_url=url, timeout=START_S, trust_env=False) as http:
        while time.monotonic() < give_up:
            if process.poll() is not None:
                raise ClusterError(f"the dashboard ended ({process.returncode}); see {log}")
            with contextlib.suppress(httpx2.TransportError):
                http.get("/api/studies").raise_for_status()
                return
            time.sleep(0.1)
    raise ClusterError(f"the dashboard took over {START_S:g} s to answer; see {log}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _serve() -> None:
    """Be optuna-dashboard, until the process that holds the other end of the input is gone."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    (command,) = entry_points(group="console_scripts", name="optuna-dashboard")
    command.load()()


def _leave_with_parent() -> None:
    # A search that is killed can end nobody, but its pipes close.
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    _serve()
