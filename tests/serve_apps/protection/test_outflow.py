import asyncio
import threading

from serve_apps.protection.outflow import outflow
from tests.serve_apps.protection.conftest import all_of

ASK = b"GET / HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n"
PART = b"x" * 10_000


class Streaming:
    """Streams what it is given and remembers how each stream ended."""

    def __init__(self, parts, stall_s=0.3):
        self.parts = parts
        self.stall_s = stall_s
        self.ends = []
        self.made = 0
        self.closed = threading.Event()
        self.ended = threading.Event()

    async def _source(self):
        try:
            for number in range(self.parts):
                self.made += 1
                yield PART
                await asyncio.sleep(0.02 if number == 0 else 0.0)
        finally:
            self.closed.set()

    async def __call__(self, scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.ends.append(await outflow(self._source(), receive, send, self.stall_s, b"LAST"))
        self.ended.set()


def test_a_reader_gets_every_part(listening):
    app = Streaming(20)

    answer = listening(app).asked(ASK)

    assert answer.count(b"x") == 20 * len(PART)
    assert b"LAST" not in answer
    assert app.ended.wait(5.0)
    assert app.ends == ["done"]


def test_a_reader_that_takes_nothing_is_given_up_with_little_made_for_it(listening):
    app = Streaming(100_000)
    client = listening(app).connected(receive_bytes=4_096)
    client.sendall(ASK)

    assert app.ended.wait(5.0)

    assert app.ends == ["stalled"]
    assert app.closed.is_set()
    assert app.made < 1_000
    client.close()


def test_a_stream_that_stalled_ends_for_a_reader_that_comes_back(listening):
    app = Streaming(100_000)
    client = listening(app).connected(receive_bytes=4_096)
    client.sendall(ASK)
    assert app.closed.wait(5.0)

    got = all_of(client)

    assert got.rstrip().endswith(b"LAST\r\n0")
    client.close()


def test_a_slow_reader_holds_up_no_other(listening):
    app = Streaming(2_000, stall_s=2.0)
    listener = listening(app)
    slow = [listener.connected(receive_bytes=4_096) for _ in range(20)]
    for client in slow:
        client.sendall(ASK)

    answer = listener.asked(ASK)

    assert answer.count(b"x") == 2_000 * len(PART)
    for client in slow:
        client.close()


def test_a_reader_that_left_ends_what_is_made_for_it(listening):
    app = Streaming(10_000_000, stall_s=60.0)
    client = listening(app).connected()
    client.sendall(ASK)
    client.recv(100)

    client.close()

    assert app.closed.wait(5.0)
    assert app.ended.wait(5.0)
    assert app.ends == ["left"]
