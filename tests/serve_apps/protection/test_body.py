import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.protection import Clients
from serve_apps.protection.body import HungUpError, body_of, check_depth, check_headers
from serve_apps.protection.refusal import RefusedError

CLIENTS = Clients(body_bytes=1_000, body_s=0.2)


class Guarded:
    """Answers how many bytes a request had, or why it was refused."""

    def __init__(self):
        self.hung_up = 0

    async def __call__(self, scope, receive, send):
        try:
            check_headers(scope["headers"], CLIENTS)
            body = await body_of(receive, CLIENTS.body_bytes, CLIENTS.body_s)
            check_depth(body, CLIENTS.depth)
            status, said, headers = 200, str(len(body)), {"connection": "close"}
        except RefusedError as error:
            status, said, headers = error.status, str(error), error.headers
        except HungUpError:
            self.hung_up += 1
            return
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": named})
        await send({"type": "http.response.body", "body": said.encode()})


def post(*headers):
    lines = [b"POST / HTTP/1.1", b"host: here", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def chunk(part):
    return b"%x\r\n%s\r\n" % (len(part), part)


@pytest.fixture(params=["h11", "httptools"])
def listener(request, listening):
    return listening(Guarded(), http=request.param)


def test_a_body_that_is_small_enough_is_taken_whole(listener):
    answer = listener.asked(post(b"content-length: 1000"), b"x" * 400, b"x" * 600)

    assert answer.startswith(b"HTTP/1.1 200")
    assert b"1000" in answer


def test_a_body_announced_as_too_large_is_refused_unread(listener):
    answer = listener.asked(post(b"content-length: 100000000"))

    assert answer.startswith(b"HTTP/1.1 413")


def test_a_body_without_an_announced_end_is_refused_as_it_grows_too_large(listener):
    answer = listener.asked(post(b"transfer-encoding: chunked"), *[chunk(b"x" * 300)] * 4)

    assert answer.startswith(b"HTTP/1.1 413")


def test_a_body_that_dawdles_is_refused(listener):
    answer = listener.asked(post(b"content-length: 1000"), b"x" * 10)

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"connection: close" in answer.lower()


def test_a_dawdling_client_holds_up_no_other(listener):
    dawdling = [listener.connected() for _ in range(50)]
    for client in dawdling:
        client.sendall(post(b"content-length: 1000") + b"x")

    answer = listener.asked(post(b"content-length: 2", b"connection: close"), b"hi")

    assert answer.startswith(b"HTTP/1.1 200")
    for client in dawdling:
        client.close()


def test_headers_beyond_number_are_refused(listener):
    answer = listener.asked(post(*[b"x-%d: y" % number for number in range(200)]))

    assert answer.startswith(b"HTTP/1.1 431")


def test_headers_beyond_size_are_refused(listener):
    answer = listener.asked(post(b"x-long: " + b"y" * 20_000))

    assert answer.startswith(b"HTTP/1.1 431")


def test_nested_lists_are_refused(listener):
    body = b"[" * 500 + b"]" * 500

    answer = listener.asked(post(b"content-length: 1000", b"connection: close"), body)

    assert answer.startswith(b"HTTP/1.1 400")
    assert b"more than 64 deep" in answer


@pytest.mark.parametrize("announced", [b"-1", b"", b"1e9", b"9" * 5_000])
def test_an_announcement_that_makes_no_sense_breaks_nothing(announced):
    headers = [(b"content-length", announced)]

    if announced.isdigit():
        with pytest.raises(RefusedError, match="at most"):
            check_headers(headers, CLIENTS)
    else:
        check_headers(headers, CLIENTS)


async def parted(messages):
    waiting = iter(messages)

    async def receive():
        return next(waiting)

    return await body_of(receive, 1_000, 5.0)


async def test_a_client_that_hangs_up_midway_has_asked_nothing():
    with pytest.raises(HungUpError):
        await parted(
            [
                {"type": "http.request", "body": b"x", "more_body": True},
                {"type": "http.disconnect"},
            ]
        )


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=12))
async def test_a_body_is_its_parts_or_refused(parts):
    messages = [
        {"type": "http.request", "body": part, "more_body": number < len(parts) - 1}
        for number, part in enumerate(parts)
    ]

    if sum(map(len, parts)) > 1_000:
        with pytest.raises(RefusedError):
            await parted(messages)
    else:
        assert await parted(messages) == b"".join(parts)


def depth_of(value):
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


values = st.recursive(
    st.none() | st.text(st.sampled_from('[]{}"\\a')) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=30,
)


@given(values, st.integers(0, 6))
def test_only_what_nests_deeper_is_refused(value, most):
    body = json.dumps(value).encode()

    if depth_of(value) > most:
        with pytest.raises(RefusedError):
            check_depth(body, most)
    else:
        check_depth(body, most)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b"[" * 65 + b'"' * 1_000_000,
        b"[" * 65 + b'\\"' * 500_000,
    ],
)
def test_a_megabyte_of_malice_is_refused(body):
    with pytest.raises(RefusedError):
        check_depth(body, 64)


def test_brackets_within_a_text_without_end_count_for_nothing():
    check_depth(b'"' + b'\\"' * 500_000 + b"[" * 65, 64)
