import contextlib
import socket
import time
import urllib.request
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.serve

RUN = "POST /v1/workflows/docs-qa/run HTTP/1.1\r\nhost: here\r\n"


def connected(served):
    place = urlsplit(served.url)
    return socket.create_connection((place.hostname, place.port), 20.0)


def asked(served, head, body=b""):
    with connected(served) as client:
        client.sendall(f"{RUN}{head}\r\n\r\n".encode())
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            client.sendall(body)
        return client.recv(1_000)


def test_a_body_announced_as_huge_is_refused_unread(served):
    assert asked(served, "content-length: 100000000").startswith(b"HTTP/1.1 413")


def test_lists_within_lists_are_refused(served):
    body = b"[" * 500_000 + b"]" * 500_000

    answer = asked(served, f"content-length: {len(body)}\r\nconnection: close", body)

    assert answer.startswith(b"HTTP/1.1 400")


def test_idle_connections_leave_room_for_others(served):
    with contextlib.ExitStack() as stack:
        for _ in range(5_000):
            stack.enter_context(connected(served))

        began = time.monotonic()
        with urllib.request.urlopen(f"{served.url}/healthz", timeout=20.0) as answer:
            status = answer.status

        assert status == 200
        assert time.monotonic() - began < 5.0


def test_headers_that_never_end_are_cut_off(served):
    with connected(served) as client:
        client.sendall(RUN.encode())
        client.settimeout(1.0)
        got, tries = b"", 0
        while not got and tries < 20:
            tries += 1
            with contextlib.suppress(TimeoutError):
                client.sendall(b"x-more: y\r\n")
                got = client.recv(100)

    assert got.startswith(b"HTTP/1.1 408")
