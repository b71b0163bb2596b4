import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.failure import LlmError
from engine.workflow.model.codes import is_fault, retry_after_s
from tests.engine.workflow.model.server import (
    CUT,
    STREAM,
    event,
    piece,
    refusal,
    streamed,
    whole,
)

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
ONCE = {"attempts": 1}


def broken_off():
    [written] = whole("hello")
    return [written[:-5], CUT]


@pytest.mark.parametrize(
    ("answer", "code", "action"),
    [
        (refusal(429), "upstream_throttled", "retry"),
        (refusal(429, "insufficient_quota"), "upstream_denied", "terminate"),
        (refusal(500), "upstream_5xx", "retry"),
        (refusal(529), "upstream_5xx", "retry"),
        (whole(status=503, body="down"), "upstream_5xx", "retry"),
        (refusal(408), "upstream_stalled", "retry"),
        (refusal(401), "upstream_denied", "terminate"),
        (refusal(402), "upstream_denied", "terminate"),
        (refusal(403), "upstream_denied", "terminate"),
        (refusal(400), "upstream_rejected", "fallback"),
        (refusal(404), "upstream_rejected", "fallback"),
        (refusal(400, "context_length_exceeded"), "context_too_long", "fallback"),
        (refusal(400, message="prompt is too long: 9 tokens"), "context_too_long", "fallback"),
        (refusal(413), "context_too_long", "fallback"),
        (refusal(400, "content_filter"), "upstream_filtered", "fallback"),
        (whole(body=[1]), "upstream_malformed", "fallback"),
        (whole(choices=[]), "upstream_malformed", "fallback"),
        (whole(choices=[{"index": 0}]), "upstream_malformed", "fallback"),
        (whole(choices=None), "upstream_malformed", "fallback"),
        ([b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n{"],
         "upstream_malformed", "fallback"),
        ([CUT], "upstream_unreachable", "retry"),
        (broken_off(), "upstream_unreachable", "retry"),
        ([b"nonsense\r\n\r\n", CUT], "upstream_unreachable", "retry"),
    ],
)  # fmt: skip
async def test_a_failure_has_a_code_and_an_action(place, answer, code, action):
    async with place(answer, retry=ONCE) as here:
        with pytest.raises(LlmError) as caught:
            await here.ask()

    assert (caught.value.code, caught.value.action) == (code, action)
    assert here.spans[0]["error"] == code


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (refusal(500), "upstream_5xx"),
        (streamed(then=[CUT]), "upstream_cut"),
        (streamed(then=[b"0\r\n\r\n"]), "upstream_cut"),
        ([STREAM, event("{"), b"0\r\n\r\n"], "upstream_malformed"),
        ([STREAM, event("[1]"), b"0\r\n\r\n"], "upstream_malformed"),
        ([STREAM, event({"error": {"message": "x"}})], "upstream_5xx"),
        ([STREAM, event({"error": {"message": "x", "code": 429}})], "upstream_throttled"),
        ([STREAM, piece(finish="content_filter"), b"0\r\n\r\n"], "upstream_filtered"),
    ],
)
async def test_a_failure_of_a_stream_has_a_code(place, answer, code):
    async with place(answer, retry=ONCE) as here:
        with pytest.raises(LlmError) as caught:
            await here.listen()

    assert caught.value.code == code


async def test_a_stream_of_no_http_is_a_broken_line(place):
    async with place(streamed(then=[b"zz\r\n", CUT]), retry=ONCE) as here:
        with pytest.raises(LlmError) as caught:
            await here.listen()

    # What came in one packet decides whether the client saw an answer begin.
    assert caught.value.code in {"upstream_cut", "upstream_unreachable"}


async def test_an_endpoint_that_nobody_serves_is_unreachable(place):
    async with place(whole(), retry=ONCE) as here:
        here.server.listening.close()
        with pytest.raises(LlmError) as caught:
            await here.ask()

    assert caught.value.code == "upstream_unreachable"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "Sun, 01 Mar 2026 12:01:30 GMT"}, 90.0),
        ({"retry-after": "Sun, 01 Mar 2026 12:01:30 -0000"}, 90.0),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "tomorrow"}, None),
    ],
)
def test_the_wait_that_is_asked_for_is_read_or_ignored(headers, wait_s):
    assert retry_after_s(headers, NOW) == wait_s


@given(st.text(max_size=60), st.text(max_size=20))
def test_no_header_makes_a_wait_that_is_no_wait(written, written_ms):
    wait_s = retry_after_s({"retry-after": written, "retry-after-ms": written_ms}, NOW)

    assert wait_s is None or (math.isfinite(wait_s) and wait_s >= 0.0)


@given(st.integers(0, 10**8))
def test_seconds_and_their_date_ask_for_the_same_wait(wait_s):
    until = format_datetime(NOW + timedelta(seconds=wait_s), usegmt=True)

    assert retry_after_s({"retry-after": until}, NOW) == wait_s
    assert retry_after_s({"retry-after": str(wait_s)}, NOW) == wait_s


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("upstream_5xx", True),
        ("upstream_throttled", True),
        ("upstream_malformed", True),
        ("upstream_rejected", False),
        ("upstream_denied", False),
        ("context_too_long", False),
    ],
)
def test_only_what_the_endpoint_can_help_speaks_against_it(code, fault):
    assert is_fault(LlmError(code, "x")) is fault
