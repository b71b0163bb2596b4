"""A timeline says what the text of the spans says, and no text is too odd for it."""

import json

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.evidence.timeline import FIELDS, spans_of, timeline_of

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
span = st.fixed_dictionaries(
    {
        "node": words,
        "start_s": st.floats(0.0, 1e4),
        "duration_s": st.integers(0, 10**10).map(lambda us: us / 1e6),
        "status": st.sampled_from(["ok", "error", "timeout"]),
        "error": words,
    },
    optional={
        "input_tokens": st.integers(0, 2**40),
        "output_tokens": st.integers(0, 2**40),
        "cost_usd": st.integers(0, 99).map(lambda eighths: eighths / 8),
        "cache_hit": st.booleans(),
        "tools": st.lists(words, max_size=2),
    },
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*FIELDS, "duration_s"]), inner)
    ),
    max_leaves=6,
)


def told(*texts):
    return timeline_of(pl.Series(texts, dtype=pl.String)).to_list()


@given(st.lists(span, max_size=4))
@settings(max_examples=50, deadline=None)
def test_what_a_workflow_wrote_is_read_to_the_microsecond(spans):
    traces = pl.DataFrame({"trace_id": ["t"], "spans": [json.dumps(spans)]})

    rows = spans_of(traces, "trace_id").to_dicts()

    assert len(rows) == len(spans)
    for row, one in zip(rows, spans, strict=True):
        assert round(row.pop("duration_us") / 1e6, 6) == one["duration_s"]
        assert row.pop("duration_s") == pytest.approx(one["duration_s"], rel=1e-12)
        assert row == {name: one.get(name) for name in row} | {"trace_id": "t"}


@given(st.text(max_size=20) | anything.map(json.dumps))
@example("[" * 100_000)
@example("\n")
@example("[]\n[]")
@example('[{"node":"\\ud800"}]')
@settings(max_examples=100, deadline=None)
def test_an_odd_text_holds_up_no_other(odd):
    good = '[{"node":"answer","duration_s":0.5}]'

    first, _, last = told(good, odd, good)

    assert first == last
    assert [one["duration_us"] for one in first] == [500_000]


@pytest.mark.parametrize("nothing", [None, "", "[]", " \n", "null", "{}", "x"])
def test_a_trace_without_spans_has_an_empty_timeline(nothing):
    assert told(nothing) == [[]]


def test_a_duration_that_no_number_holds_is_unmeasured():
    ((one,),) = told('[{"node":"answer","duration_s":1e300}]')

    assert one["duration_us"] is None


def test_only_the_fields_asked_for_are_read():
    timeline = timeline_of(pl.Series(['[{"node":"answer","status":"ok"}]']), ("node", "status"))

    assert timeline.to_list() == [[{"node": "answer", "status": "ok"}]]
