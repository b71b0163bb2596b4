import asyncio
import contextlib
import gzip
import json

import pytest

from engine.workflow.failure import LlmError
from engine.workflow.model.lean import LAST_S, Lean
from engine.workflow.model.line import MOST_BYTES
from tests.engine.workflow.endpoint import completion
from tests.engine.workflow.model.server import (
    CUT,
    ENDED,
    HANG,
    STREAM,
    event,
    piece,
    refusal,
    serving,
    streamed,
    whole,
)

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
KEY = {"Authorization": "Bearer a-key", "Content-Type": "application/json"}


class Asking:
    """One line, and the shortest ways to use it."""

    def __init__(self, base_url):
        self.line = Lean(base_url, KEY)

    async def whole(self, **more):
        return await self.line.whole(QUESTION | more)

    async def pieces(self):
        return [piece async for piece in self.line.pieces(QUESTION)]

    async def failure(self, *, stream=False):
        with pytest.raises(LlmError) as caught:
            await (self.pieces() if stream else self.whole())
        return caught.value


@contextlib.asynccontextmanager
async def at(base_url):
    asking = Asking(base_url)
    try:
        async with asyncio.timeout(10.0):
            yield asking
    finally:
        await asking.line.close()


@contextlib.asynccontextmanager
async def between(*answers):
    """A line, and the server that it leads to."""
    async with serving(*answers) as server, at(server.base_url) as asking:
        yield asking, server


def answered(payload, *headers):
    lines = ["HTTP/1.1 200 OK", f"content-length: {len(payload)}", *headers]
    return ["\r\n".join(lines).encode() + b"\r\n\r\n", payload]


async def test_the_key_travels_and_the_question_is_json():
    async with between(whole("hi")) as (asking, server):
        answer = await asking.whole(temperature=0.5)

    assert answer == completion("hi")
    assert server.requests == [QUESTION | {"temperature": 0.5}]
    assert "authorization: bearer a-key" in server.heads[0]


async def test_headers_of_a_call_travel_beside_its_body():
    async with between(whole("hi")) as (asking, server):
        await asking.whole(extra_headers={"traceparent": "00-a"})
        await asking.whole()

    assert server.requests == [QUESTION, QUESTION]
    assert ["traceparent: 00-a" in head for head in server.heads] == [True, False]


async def test_credentials_in_the_address_take_the_keys_place():
    async with serving(whole("hi")) as server:
        with_them = server.base_url.replace("//", "//me:secret@")
        async with at(with_them) as asking:
            await asking.whole()

    assert "authorization: basic bwu6c2vjcmv0" in server.heads[0]


@pytest.mark.parametrize("content", ["half \ud83d", 2**70])
async def test_what_fast_json_refuses_is_sent_all_the_same(content):
    async with between(whole()) as (asking, server):
        await asking.whole(extra=content)

    assert server.requests[0]["extra"] == content


async def test_a_question_of_megabytes_is_sent():
    async with between(whole()) as (asking, server):
        await asking.whole(extra="x" * (3 << 20))

    assert len(server.requests[0]["extra"]) == 3 << 20


async def test_a_connection_is_used_again():
    async with between(whole(), streamed("a"), refusal(503), whole()) as (asking, server):
        await asking.whole()
        await asking.pieces()
        await asking.failure()
        await asking.whole()

    assert (len(server.requests), server.connections) == (4, 1)


async def test_a_stream_whose_end_comes_late_keeps_its_connection():
    late = [STREAM, piece("a"), event("[DONE]"), LAST_S / 5, b"0\r\n\r\n"]
    async with between(late) as (asking, server):
        await asking.pieces()
        await asking.pieces()

    assert server.connections == 1


async def test_a_stream_is_over_with_its_last_event_even_if_the_line_stays_open():
    async with between([STREAM, piece("a"), event("[DONE]"), HANG]) as (asking, server):
        pieces = await asking.pieces()
        await server.hung_up.wait()

    assert len(pieces) == 1


async def test_a_stream_may_lack_its_last_event():
    async with between([STREAM, *ENDED[:-2], ENDED[-1]]) as (asking, _):
        pieces = await asking.pieces()

    assert len(pieces) == 2


async def test_a_stream_that_is_left_is_closed():
    async with between(streamed("a", "b", then=[HANG])) as (asking, server):
        pieces = asking.line.pieces(QUESTION)
        await anext(pieces)
        await pieces.aclose()
        await server.hung_up.wait()

    assert server.hung_up.is_set()


@pytest.mark.parametrize(
    "payload",
    [
        b'{"choices": [{"message": {"role": "assis',
        b"<!DOCTYPE html><html>Welcome</html>",
        b'{"choices": [{"index": NaN}]}',
        b'{"choices": [{"message": {"content": "\xff\xfe"}}]}',
        b"[",
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_no_json_is_malformed_and_quoted(payload, stream):
    answer = [STREAM, event(payload)] if stream else answered(payload)
    async with between(answer) as (asking, _):
        failure = await asking.failure(stream=stream)

    assert failure.code == "upstream_malformed"
    assert "m: the answer is no JSON" in str(failure)


async def test_a_packed_answer_is_unpacked():
    packed = gzip.compress(json.dumps(completion("hi")).encode())
    async with between(answered(packed, "content-encoding: gzip")) as (asking, server):
        answer = await asking.whole()

    assert "accept-encoding: gzip" in server.heads[0]
    assert answer == completion("hi")


async def test_an_answer_that_is_packed_wrongly_is_a_broken_line():
    async with between(answered(b"no gzip", "content-encoding: gzip")) as (asking, _):
        failure = await asking.failure()

    assert failure.code == "upstream_unreachable"


def bomb():
    block = b" " * (1 << 20)
    packed = gzip.compress(block * (2 * MOST_BYTES >> 20))
    return answered(packed, "content-encoding: gzip")


def unannounced():
    block = b"100000\r\n" + b" " * (1 << 20) + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    return [head, *([block] * 50), b"0\r\n\r\n"]


def announced():
    return [f"HTTP/1.1 200 OK\r\ncontent-length: {50 << 20}\r\n\r\n".encode(), HANG]


@pytest.mark.parametrize("answer", [bomb, unannounced, announced])
async def test_an_answer_without_end_is_not_read_to_its_end(answer):
    async with between(answer()) as (asking, _):
        failure = await asking.failure()

    assert failure.code == "upstream_malformed"
    assert "longer than 32 MiB" in str(failure)


async def test_a_stream_without_end_is_not_read_to_its_end():
    chunk = b"100000\r\n" + b":" * ((1 << 20) - 1) + b"\n\r\n"
    async with between([STREAM, *([chunk] * 50)]) as (asking, _):
        failure = await asking.failure(stream=True)

    assert failure.code == "upstream_malformed"


async def test_a_refusal_is_known_even_if_its_reason_is_torn():
    torn = [b"HTTP/1.1 503 Down\r\ncontent-length: 900\r\n\r\n<html>", CUT]
    async with between(torn) as (asking, _):
        failure = await asking.failure()

    assert failure.code == "upstream_5xx"


async def test_a_page_instead_of_a_reason_is_quoted_in_part():
    page = answered(b"<html>" + b"x" * 100_000)
    page[0] = page[0].replace(b"200 OK", b"502 Bad gateway")
    async with between(page) as (asking, _):
        failure = await asking.failure()

    assert failure.code == "upstream_5xx"
    assert "status 502: <html>" in str(failure)
    assert len(str(failure)) < 3_000


async def test_a_moved_endpoint_is_followed_with_its_question():
    async with serving(whole("hi")) as new:
        moved = [f"HTTP/1.1 307 Moved\r\nlocation: {new.base_url}/chat/completions\r\n"
                 "content-length: 0\r\n\r\n".encode()]  # fmt: skip
        async with between(moved) as (asking, _):
            await asking.whole()

    assert new.requests == [QUESTION]
    assert "a-key" not in new.heads[0]


@pytest.mark.parametrize(
    "base_url", ["http://127.0.0.1:1/v1", "http://models.invalid/v1", "http://[::1]:1/v1"]
)
async def test_an_endpoint_that_is_not_there_is_unreachable(base_url):
    async with at(base_url) as asking:
        failures = [await asking.failure(stream=stream) for stream in (False, True)]

    assert {failure.code for failure in failures} == {"upstream_unreachable"}
    assert all(failure.action == "retry" for failure in failures)
