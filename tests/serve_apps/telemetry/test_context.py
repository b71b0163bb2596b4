import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve_apps.telemetry.context import (
    MOST_STATE,
    TraceContext,
    incoming,
    outgoing,
    own,
    span_id_of,
)
from tests.serve_apps.telemetry.requests import TRACE_ID

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
KEPT = f"00-{TRACE}-{SPAN}-01"
hex_of = st.integers(1, 2**128 - 1).map("{:032x}".format)
spans = st.integers(1, 2**64 - 1).map("{:016x}".format)


def test_a_callers_trace_is_read():
    context = incoming({"traceparent": KEPT, "tracestate": "congo=t61rcWkgMzE"})

    assert context == TraceContext(TRACE, SPAN, 1, "congo=t61rcWkgMzE")
    assert context.is_sampled


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        KEPT.upper(),
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE[:-1]}-{SPAN}-01",
    ],
)
def test_what_is_no_traceparent_is_none(header):
    assert incoming({"traceparent": header}) is None


def test_a_later_version_may_say_more():
    assert incoming({"traceparent": f"01-{TRACE}-{SPAN}-01-what-comes"}) is not None


def test_a_request_without_the_header_has_no_context():
    assert incoming({}) is None


@given(hex_of, spans, st.integers(0, 1))
def test_what_is_told_is_what_is_heard(trace_id, span_id, flags):
    context = TraceContext(trace_id, span_id, flags, "a=b")

    assert incoming(outgoing(context)) == context


@given(st.text())
def test_no_header_breaks_the_reading(text):
    assert incoming({"traceparent": text, "tracestate": text}) is None
    assert isinstance(incoming({"traceparent": KEPT, "tracestate": text}), TraceContext)


@pytest.mark.parametrize("state", ["x" * (MOST_STATE + 1), "a=\u00e6", "a=\r\nx: y"])
def test_a_state_that_is_too_long_or_no_text_of_a_header_is_left_out(state):
    assert incoming({"traceparent": KEPT, "tracestate": state}).state == ""


def test_what_follows_has_our_request_as_its_parent():
    context = incoming({"traceparent": KEPT})

    onward = outgoing(context.within(TRACE_ID))

    assert onward == {"traceparent": f"00-{TRACE}-{span_id_of(TRACE_ID)}-01"}


def test_a_request_nobody_called_is_a_trace_by_its_own_id():
    assert own(TRACE_ID).trace_id == TRACE_ID.partition(".")[0]


@given(st.text())
def test_any_id_of_ours_gives_a_lawful_trace(trace_id):
    try:
        trace_id.encode()
    except UnicodeEncodeError:
        return

    assert incoming(outgoing(own(trace_id))) == own(trace_id)
