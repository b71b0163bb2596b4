"""The load counts every answer and every failure, and the upstream answers as it is told."""

import asyncio
import contextlib
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.bench.load import Ask, is_whole, load, loaded, loading, request_of, stopped
from cluster.bench.upstream import RESPONSE, delay_answers, end_of, upstream
from cluster.head import free_ports

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "What is it?"}]})


def ask(port, connections=4, duration_s=0.3):
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    return Ask(url=url, body=BODY, connections=connections, duration_s=duration_s, settle_s=0.0)


@pytest.fixture(scope="module")
def instant() -> Iterator[int]:
    port = free_ports(1)[0]
    with upstream(port):
        yield port


@contextlib.asynccontextmanager
async def answering(answer):
    """A server that gives this answer to whatever comes."""

    async def each(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b'?"}]}')
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(each, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@given(st.binary(max_size=200).filter(lambda body: b"\r\n" not in body), st.data())
def test_an_answer_is_whole_exactly_at_its_end(body, data):
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    cut = data.draw(st.integers(0, len(answer) - 1))

    assert is_whole(answer)
    assert not is_whole(answer[:cut])


def test_an_answer_in_chunks_is_whole_at_its_last_chunk():
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

    assert not is_whole(head + b"3\r\nyes\r\n")
    assert is_whole(head + b"3\r\nyes\r\n0\r\n\r\n")


@given(st.text(max_size=50), st.text(max_size=50))
def test_the_upstream_finds_where_each_of_its_requests_ends(first, second):
    url = "http://127.0.0.1:1/v1/chat/completions"
    one, other = request_of(url, first), request_of(url, second)

    assert end_of(one + other) == len(one)
    assert end_of(one[:-1] if first else one[:-2]) == 0


def test_a_load_counts_every_answer_of_the_upstream(instant):
    found = loaded(ask(instant))

    assert found.requests > 10
    assert found.errors == 0
    assert 0.0 < found.p50_ms <= found.p99_ms


def test_a_load_that_goes_on_can_be_ended(instant):
    with loading(ask(instant, duration_s=600.0)) as process:
        found = stopped(process)

    assert found.errors == 0
    assert process.returncode == 0


async def test_the_upstream_answers_as_late_as_it_is_told(instant):
    base_url = f"http://127.0.0.1:{instant}/v1"

    delay_answers(base_url, 0.15)
    late = await load(ask(instant), asyncio.Event())
    delay_answers(base_url, 0.0)
    prompt = await load(ask(instant), asyncio.Event())

    assert late.p50_ms >= 150.0
    assert prompt.p50_ms < 150.0


async def test_an_answer_that_is_none_counts_as_an_error_with_its_head():
    async with answering(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n") as port:
        found = await load(ask(port, connections=2, duration_s=0.1), asyncio.Event())

    assert found.requests == 0
    assert found.errors > 1
    assert found.first_error.startswith("HTTP/1.1 503")
    assert found.p50_ms is None


async def test_nobody_listening_is_an_error_and_no_answer():
    found = await load(ask(free_ports(1)[0], connections=1, duration_s=0.1), asyncio.Event())

    assert found.requests == 0
    assert found.first_error.startswith("no connection")


async def test_a_connection_that_is_closed_in_between_is_opened_again():
    served = 0

    async def once(reader, writer):
        nonlocal served
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b'?"}]}')
            writer.write(RESPONSE)
            await writer.drain()
            served += 1
        writer.close()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await load(ask(port, connections=1, duration_s=0.2), asyncio.Event())

    assert served > 1
