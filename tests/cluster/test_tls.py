"""The TLS front as clients meet it: a real HAProxy on loopback, real sockets behind it."""

import contextlib
import http.client
import shutil
import socket
import ssl
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import psutil
import pytest
from websockets.sync.client import connect
from websockets.sync.server import serve

from cluster.head import free_ports
from cluster.tls import load_front, renew_front, start_front, stop_front
from engine.config.tls import Tls
from engine.errors import ClusterError, ConfigError
from tests.cluster.certificates import certificate

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


LARGE = 50_000_000


class Plain(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/slow":
            time.sleep(0.8)
        proto = self.headers.get("X-Forwarded-Proto", "")
        body = b"x" * LARGE if self.path == "/large" else f"hello by {proto}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in (b"one", b"two"):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(word), word))
            self.wfile.flush()
            time.sleep(0.6)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def plain():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Plain)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def spoken():
    """A gRPC server that says what it heard, once or word by word."""

    def words(said, _):
        yield from said.split()

    methods = {
        "Say": grpc.unary_unary_rpc_method_handler(lambda said, _: said.upper()),
        "Words": grpc.unary_stream_rpc_method_handler(words),
    }
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.Echo", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return certificate(tmp_path_factory.mktemp("pair"))


@contextlib.contextmanager
def fronted(folder, pair, plain, spoken=None, **more):
    tls = Tls(cert=pair[0], key=pair[1], port=free_ports(1)[0], **more)
    front = start_front(folder, tls, http_port=plain, grpc_port=spoken)
    try:
        yield tls.port, front
    finally:
        stop_front(folder)


@pytest.fixture(scope="module")
def port(tmp_path_factory, pair, plain, spoken):
    timeouts = {"head_timeout_s": 0.4, "idle_timeout_s": 0.5}
    with fronted(tmp_path_factory.mktemp("front"), pair, plain, spoken, **timeouts) as (port, _):
        yield port


def trusting(pair, lowest=ssl.TLSVersion.TLSv1_2, highest=ssl.TLSVersion.TLSv1_3, offered=()):
    context = ssl.create_default_context(cafile=pair[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        # Without this the client itself would not speak the old versions.
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = lowest, highest
    if offered:
        context.set_alpn_protocols(list(offered))
    return context


def connected(port, context):
    raw = socket.create_connection(("127.0.0.1", port), timeout=5.0)
    return context.wrap_socket(raw, server_hostname="127.0.0.1")


def got(port, context, path="/"):
    with contextlib.closing(
        http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=5.0)
    ) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), dict(answer.getheaders())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_today_s_versions_are_answered(port, pair, version):
    status, text, headers = got(port, trusting(pair, version, version))

    assert (status, text) == (200, "hello by https")
    assert "Strict-Transport-Security" in {name.title() for name in headers}


@pytest.mark.parametrize("name", ["TLSv1", "TLSv1_1"])
def test_older_versions_are_refused_by_the_front(port, pair, name):
    version = getattr(ssl.TLSVersion, name)

    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        connected(port, trusting(pair, version, version))


def test_the_oldest_version_may_be_raised(tmp_path, pair, plain):
    old, new = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3

    with fronted(tmp_path, pair, plain, minimum="1.3") as (port, _):
        assert got(port, trusting(pair, new, new))[0] == 200
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
            connected(port, trusting(pair, old, old))


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_both_versions_of_http_are_offered(port, pair, protocol):
    with connected(port, trusting(pair, offered=[protocol])) as connection:
        assert connection.selected_alpn_protocol() == protocol


def test_plain_http_is_not_answered_on_the_encrypted_port(port):
    with socket.create_connection(("127.0.0.1", port), timeout=5.0) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

        with contextlib.suppress(ConnectionResetError):
            assert b"hello" not in connection.recv(1_000)


def test_grpc_is_answered_over_tls(port, pair):
    trust = grpc.ssl_channel_credentials(Path(pair[0]).read_bytes())

    with grpc.secure_channel(f"127.0.0.1:{port}", trust) as channel:
        said = channel.unary_unary("/t.Echo/Say")(b"hello", timeout=5.0)
        words = list(channel.unary_stream("/t.Echo/Words")(b"one two three", timeout=5.0))

    assert (said, words) == (b"HELLO", [b"one", b"two", b"three"])


def test_an_answer_in_pieces_is_passed_on_piece_by_piece(port, pair):
    with contextlib.closing(
        http.client.HTTPSConnection("127.0.0.1", port, context=trusting(pair), timeout=5.0)
    ) as connection:
        connection.request("POST", "/", b"x")
        answer = connection.getresponse()
        first = answer.read1(3)
        began = time.monotonic()
        rest = answer.read()

    assert (first, rest) == (b"one", b"two")
    assert time.monotonic() - began > 0.5


def test_websockets_go_through(tmp_path, pair):
    def echo(socket):
        for message in socket:
            socket.send(message.upper())

    with serve(echo, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with (
            fronted(tmp_path, pair, server.socket.getsockname()[1]) as (port, _),
            connect(f"wss://127.0.0.1:{port}", ssl=trusting(pair)) as client,
        ):
            client.send("hello")
            assert client.recv(timeout=5.0) == "HELLO"
        server.shutdown()
        thread.join()


def test_a_head_that_comes_byte_by_byte_is_cut_off(port, pair):
    with connected(port, trusting(pair)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        with contextlib.suppress(OSError):
            for _ in range(8):
                time.sleep(0.1)
                connection.sendall(b"X")
        answer = connection.recv(1_000)

    assert not answer or b" 408 " in answer


def test_a_body_that_does_not_come_is_cut_off(port, pair):
    with connected(port, trusting(pair)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")

        assert b" 408 " in connection.recv(1_000)


def test_who_reads_nothing_is_cut_off(port, pair):
    with connected(port, trusting(pair)) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.9)
        read = 0
        with contextlib.suppress(OSError):
            while block := connection.recv(1 << 20):
                read += len(block)

    assert read < LARGE


def test_who_waits_for_a_slow_answer_is_not_cut_off(port, pair):
    assert got(port, trusting(pair), "/slow")[:2] == (200, "hello by https")


def test_a_renewed_certificate_is_taken_up_without_cutting_anyone(tmp_path, plain):
    first, second = (certificate(tmp_path, name) for name in ("first", "second"))
    linked = tuple(str(tmp_path / name) for name in ("live.crt", "live.key"))
    for source, target in zip(first, linked, strict=True):
        shutil.copy(source, target)

    with fronted(tmp_path / "front", linked, plain) as (port, front):
        old = connected(port, trusting(first))
        for source, target in zip(second, linked, strict=True):
            shutil.copy(source, target)
        renew_front(tmp_path / "front")
        until(lambda: got(port, trusting(second))[0] == 200)
        old.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = old.recv(1_000)
        old.close()

        assert answer.startswith(b"HTTP/1.1 200")
        assert front.is_alive


def test_a_new_certificate_that_can_not_be_used_leaves_the_old_one(tmp_path, plain):
    cert, key = certificate(tmp_path, "live")
    trust = trusting((cert, key))

    with fronted(tmp_path / "front", (cert, key), plain) as (port, _):
        Path(key).write_text("no key")
        with pytest.raises(ConfigError, match="can't be used"):
            renew_front(tmp_path / "front")

        assert got(port, trust)[0] == 200


def test_only_clients_that_are_vouched_for_are_heard_where_that_is_set(tmp_path, pair, plain):
    known = certificate(tmp_path, "client")
    context = trusting(pair, highest=ssl.TLSVersion.TLSv1_2)

    with fronted(tmp_path / "front", pair, plain, client_ca=known[0]) as (port, _):
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            got(port, context)
        context.load_cert_chain(*known)
        assert got(port, context)[0] == 200


def test_stopping_ends_every_process_and_frees_the_port(tmp_path, pair, plain):
    with fronted(tmp_path, pair, plain) as (port, front):
        family = [front.pid, *(child.pid for child in psutil.Process(front.pid).children())]
        assert load_front(tmp_path) == front

        assert stop_front(tmp_path)

        assert not front.is_alive
        assert load_front(tmp_path) is None
        assert not stop_front(tmp_path)
    until(lambda: not any(map(lives, family)))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_key_of_another_certificate_is_refused(tmp_path, pair, plain):
    other = certificate(tmp_path, "other")

    with (
        pytest.raises(ConfigError, match="its own"),
        fronted(tmp_path, (pair[0], other[1]), plain),
    ):
        pass


def test_a_file_that_is_missing_is_named(tmp_path, pair, plain):
    with (
        pytest.raises(ConfigError, match=r"tls\.key"),
        fronted(tmp_path, (pair[0], str(tmp_path / "none.key")), plain),
    ):
        pass


def test_one_that_was_left_behind_makes_room(tmp_path, pair, plain):
    tls = Tls(cert=pair[0], key=pair[1], port=free_ports(1)[0])
    left = start_front(tmp_path, tls, http_port=plain)

    front = start_front(tmp_path, tls, http_port=plain)

    try:
        assert not lives(left.pid)
        assert got(tls.port, trusting(pair))[0] == 200
        assert load_front(tmp_path) == front
    finally:
        stop_front(tmp_path)


def test_a_port_that_is_taken_is_refused(tmp_path, pair, plain):
    tls = Tls(cert=pair[0], key=pair[1], port=plain)

    with pytest.raises(ClusterError, match="taken"):
        start_front(tmp_path, tls, http_port=plain)


def test_where_none_is_up_there_is_nothing_to_renew(tmp_path):
    with pytest.raises(ClusterError, match="no TLS front"):
        renew_front(tmp_path)


def lives(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def until(holds):
    give_up = time.monotonic() + 5.0
    while time.monotonic() < give_up:
        with contextlib.suppress(ssl.SSLError):
            if holds():
                return
        time.sleep(0.02)
    raise AssertionError("it did not come true in time")
