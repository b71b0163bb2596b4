"""Laws of the roll-ups: adding them loses nothing, and what they say is what the traces say."""

import json
from math import isclose

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from engine.evidence.facts import Facts
from engine.evidence.observe import Limits, observe, observe_rolled
from engine.evidence.records import empty
from engine.evidence.rollup import added, minute_of, rolled
from engine.evidence.rollup_parts import Rolled, index_of

NOW = 1_000 * 60.0
SCHEMAS = {kind: empty(kind).drop("batch").schema for kind in ("exposure", "trace", "feedback")}
FEW = Limits(min_calls=3, slow_mean_s=1.0)


def traces_of(rows):
    named = [{"trace_id": f"t{number}", "workflow": "docs", **row} for number, row in rows]
    return pl.DataFrame(named, schema=SCHEMAS["trace"])


def ratings_of(rows):
    named = [
        {"key": f"k{place}", "trace_id": f"t{number}", "metric": "quality", **row}
        for place, (number, row) in enumerate(rows)
    ]
    return pl.DataFrame(named, schema=SCHEMAS["feedback"])


statuses = st.sampled_from(["ok", "ok", "ok", "error", "timeout"])
spans = st.lists(
    st.fixed_dictionaries(
        {
            "node": st.sampled_from(["plan", "answer"]),
            "duration_s": st.sampled_from([0.0, 0.25, 2.0, 8.0]),
            "status": statuses,
        },
        optional={"error": st.just("upstream"), "input_tokens": st.integers(0, 9)},
    ),
    max_size=3,
).map(json.dumps)
rows = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.fixed_dictionaries(
            {
                "at": st.integers(1, 240).map(lambda s: NOW - 30.0 * s + 30.0),
                "status": statuses,
                "duration_s": st.none() | st.sampled_from([0.0, 0.5, 1.0, 4.0]),
                "variant": st.sampled_from(["v1", "v2"]),
                "segment": st.sampled_from(["", "how-to", "chat"]),
                "cost_usd": st.none() | st.sampled_from([0.0, 0.25, 2.0]),
                "spans": st.none() | st.just("") | spans,
            }
        ),
    ),
    max_size=40,
    unique_by=lambda row: row[0],
)
ratings = st.lists(
    st.tuples(
        st.integers(0, 30),
        st.fixed_dictionaries(
            {"at": st.floats(NOW, NOW + 100), "score": st.sampled_from([0.0, 0.5, 1.0])}
        ),
    ),
    max_size=40,
    unique_by=lambda row: row[1]["at"],
)


@given(rows, st.integers(0, 40))
@settings(max_examples=30, deadline=None)
def test_the_roll_up_of_all_is_the_sum_of_the_parts(rows, cut):
    whole = added([rolled(traces_of(rows))])

    parts = added([rolled(traces_of(rows[:cut])), rolled(traces_of(rows[cut:]))])

    # of several calls equally bad, any may be the example
    examples = ("slowest", "dearest", "failures", "timeouts")
    assert_frame_equal(whole.drop(examples), parts.drop(examples))
    for name in examples:
        values = [
            frame[name].list.eval(pl.element().struct.field("value")) for frame in (whole, parts)
        ]
        assert values[0].to_list() == values[1].to_list()


@given(rows, ratings)
@settings(max_examples=40, deadline=None)
def test_roll_ups_name_the_problems_that_the_traces_name(rows, ratings):
    traces, feedback = traces_of(rows), ratings_of(ratings)
    facts = Facts(pl.DataFrame([], schema=SCHEMAS["exposure"]), traces, feedback)

    told = observe(facts, now=NOW, window_s=3_600.0, min_calls=3, slow_mean_s=1.0, error_share=0.05)
    sums = Rolled(rolled(traces), index_of(traces), feedback)
    found = observe_rolled(sums, now=NOW, window_s=3_600.0, limits=FEW)

    assert {_place(one) for one in found} == {_place(one) for one in told}
    by_place = {_place(one): one for one in told}
    for one in found:
        other = by_place[_place(one)]
        assert one.calls == other.calls
        # an unmeasured cost is no example of a high one
        assert 0 < len(one.trace_ids) <= len(other.trace_ids)
        for ours, theirs in zip(_figures(one), _figures(other), strict=True):
            assert isclose(ours, theirs, rel_tol=1e-6, abs_tol=1e-9)


def _place(problem):
    return problem.kind, problem.scope, problem.name


def _figures(problem):
    figure = problem.figure
    return figure.low, figure.estimate, figure.high, problem.limit, problem.severity


def test_a_minute_is_open_below_and_closed_above():
    assert [minute_of(at) for at in (0.5, 60.0, 60.5, 120.0)] == [0, 0, 1, 1]


def test_failures_are_told_by_their_class():
    outcomes = ["timeout", "error", "error", "ok"]
    traces = traces_of(
        (n, {"at": 30.0, "status": status, "error": "" if status == "ok" else f"was_{status}"})
        for n, status in enumerate(outcomes)
    )

    (row,) = rolled(traces).to_dicts()

    tallied = {one["value"]: one["count"] for one in row["errors"]}
    assert tallied == {"was_timeout": 1, "was_error": 2}
    assert (row["calls"], row["failed"], row["timed_out"]) == (4, 3, 1)


def test_tokens_money_and_cache_hits_add_up_where_they_are_known():
    spent = {"input_tokens": 5, "cost_usd": 0.5, "cache_hit": True}
    asked = {"input_tokens": 7, "cache_hit": False}
    traces = traces_of((n, {"at": 30.0, **row}) for n, row in enumerate([spent, asked, {}]))

    (row,) = rolled(traces).to_dicts()

    assert (row["input_tokens"], row["cost_usd_sum"], row["cost_usd_n"]) == (12, 0.5, 1)
    assert (row["cache_hits"], row["cache_asked"]) == (1, 2)
