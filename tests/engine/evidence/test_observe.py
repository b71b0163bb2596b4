"""Laws of the hot problems: who is named, with which figures, and who is left out."""

import json
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.evidence.measure import Facts
from engine.evidence.observe import Problem, observe
from engine.evidence.records import empty

NOW = 100_000.0
SCHEMAS = {kind: empty(kind).drop("batch").schema for kind in ("exposure", "trace", "feedback")}
USUAL = {
    "workflow": "docs",
    "variant": "v1",
    "duration_s": 1.0,
    "status": "ok",
    "segment": "how-to",
    "cost_usd": 0.01,
    "spans": "[]",
}


def trace(number, **changes):
    at = changes.pop("at", NOW - 10.0 - number % 100)
    return {"trace_id": f"t{number}", "at": at, **USUAL, **changes}


def rating(number, score, *, at=NOW):
    return {
        "key": f"k{number}-{at}",
        "at": at,
        "trace_id": f"t{number}",
        "metric": "quality",
        "score": score,
    }


def facts_of(traces, ratings=()):
    return Facts(
        exposures=pl.DataFrame([], schema=SCHEMAS["exposure"]),
        traces=pl.DataFrame(traces, schema=SCHEMAS["trace"]),
        feedback=pl.DataFrame(list(ratings), schema=SCHEMAS["feedback"]),
    )


def seen(traces, ratings=(), **limits):
    return observe(facts_of(traces, ratings), now=NOW, **limits)


def named(problems: list[Problem]):
    return {(problem.kind, problem.scope, problem.name) for problem in problems}


def test_a_quiet_workflow_has_no_problem():
    problems = seen([trace(n) for n in range(200)], [rating(n, 0.9) for n in range(200)])

    assert problems == []


def test_no_traffic_has_no_problem():
    assert seen([]) == []


def test_a_slow_segment_is_named_and_the_others_are_not():
    traces = [trace(n) for n in range(300)]
    traces += [trace(n, segment="comparison", duration_s=4.0 + n / 1e4) for n in range(300, 360)]

    (problem,) = seen(traces)

    assert (problem.kind, problem.scope, problem.name) == ("slow", "segment", "comparison")
    assert problem.calls == 60
    assert problem.figure.low < problem.figure.estimate < problem.figure.high
    assert problem.figure.estimate == pytest.approx(4.03295)
    assert problem.trace_ids == ("t359", "t358", "t357")


def test_a_failing_variant_comes_with_its_wilson_interval_and_newest_failures():
    traces = [trace(n) for n in range(400)]
    traces += [trace(n, variant="v2", at=NOW - 1_000 + n) for n in range(400, 440)]
    traces += [trace(n, variant="v2", status="error", at=NOW - 1_000 + n) for n in range(440, 450)]

    (problem,) = seen(traces)

    assert (problem.kind, problem.scope, problem.name) == ("failing", "variant", "v2")
    assert problem.figure.estimate == pytest.approx(0.2)
    assert (problem.figure.low, problem.figure.high) == pytest.approx((0.1124, 0.3304), abs=1e-3)
    assert problem.severity == pytest.approx(4.0)
    assert problem.trace_ids == ("t449", "t448", "t447")


def test_a_timeout_counts_as_a_failure_too():
    traces = [trace(n, status="timeout" if n < 20 else "ok") for n in range(100)]

    kinds = {problem.kind for problem in seen(traces)}

    assert kinds == {"failing", "timing_out"}


def test_a_mean_that_grew_is_a_problem_below_every_absolute_limit():
    before = [trace(n, at=NOW - 5_000.0, duration_s=0.4 + n / 1e4) for n in range(100)]
    after = [trace(n, duration_s=0.8 + n / 1e4) for n in range(100, 200)]

    problems = seen(before + after)

    assert named(problems) == {("slower", "workflow", "docs")}
    assert problems[0].figure.estimate == pytest.approx(2.0, abs=0.1)
    assert problems[0].figure.low > 1.0


def test_a_mean_that_grew_within_its_noise_is_no_problem():
    noisy = [0.05] * 57 + [20.0] * 3
    before = [
        trace(n, at=NOW - 5_000.0, duration_s=s) for n, s in enumerate([0.05] * 58 + [20] * 2)
    ]
    after = [trace(100 + n, duration_s=s) for n, s in enumerate(noisy)]

    assert seen(before + after) == []


def test_what_a_request_costs_is_held_against_a_limit_and_against_before():
    before = [trace(n, at=NOW - 5_000.0, cost_usd=0.2 + n / 1e5) for n in range(60)]
    after = [trace(n, cost_usd=0.8 + n / 1e5) for n in range(100, 160)]

    kinds = {problem.kind for problem in seen(before + after)}

    assert kinds == {"expensive", "dearer"}


def test_costs_that_nobody_measured_are_no_costs():
    assert seen([trace(n, cost_usd=None) for n in range(100)]) == []


def test_a_segment_rated_worse_than_its_workflow_is_named():
    traces = [trace(n) for n in range(400)]
    traces += [trace(n, segment="arithmetic") for n in range(400, 500)]
    ratings = [rating(n, 0.95) for n in range(400)]
    ratings += [rating(n, 0.7 if n % 2 else 0.65) for n in range(400, 500)]

    (problem,) = seen(traces, ratings)

    assert (problem.kind, problem.name) == ("badly_rated", "arithmetic")
    assert problem.figure.estimate == pytest.approx(0.675)
    assert problem.limit == pytest.approx(0.8950 - 0.1, abs=1e-3)


def test_a_workflow_rated_below_one_half_is_named():
    problems = seen([trace(n) for n in range(100)], [rating(n, 0.3) for n in range(100)])

    assert named(problems) == {("badly_rated", "workflow", "docs")}


def test_the_newest_rating_of_a_request_counts():
    traces = [trace(n) for n in range(100)]
    first = [rating(n, 0.0, at=NOW - 5.0) for n in range(100)]
    second = [rating(n, 1.0, at=NOW - 1.0) for n in range(100)]

    assert seen(traces, second + first) == []


def test_too_few_ratings_blame_nobody():
    assert seen([trace(n) for n in range(100)], [rating(n, 0.0) for n in range(49)]) == []


def test_a_slow_node_is_named_by_its_spans():
    spans = [
        {"node": "retrieve", "start_s": 0.0, "duration_s": 0.1, "status": "ok", "error": ""},
        {"node": "qa_agent", "start_s": 0.1, "duration_s": 5.0, "status": "ok", "turn": 1},
    ]
    traces = [trace(n, spans=json.dumps(spans)) for n in range(60)]

    (problem,) = seen(traces)

    assert (problem.kind, problem.scope, problem.name) == ("slow", "node", "qa_agent")


def test_a_failing_node_is_named_though_the_request_recovered():
    spans = [{"node": "calculator", "duration_s": 0.1, "status": "error", "error": "tool"}]
    traces = [trace(n, spans=json.dumps(spans if n < 60 else [])) for n in range(200)]

    assert named(seen(traces)) == {("failing", "node", "calculator")}


def test_a_node_called_often_in_few_requests_still_counts():
    spans = json.dumps([{"node": "tool", "duration_s": 9.0, "status": "ok"}] * 10)

    problems = seen([trace(n, spans=spans) for n in range(6)])

    assert [(problem.name, problem.calls) for problem in problems] == [("tool", 60)]
    assert len(problems[0].trace_ids) == 3


@pytest.mark.parametrize("spans", [None, "", "[]"])
def test_a_request_without_spans_is_no_error(spans):
    assert seen([trace(n, spans=spans) for n in range(60)]) == []


def test_a_segment_that_nobody_determined_is_not_named():
    traces = [trace(n) for n in range(900)]
    traces += [trace(n, segment="", status="error") for n in range(900, 960)]

    assert {problem.scope for problem in seen(traces)} == {"workflow"}


def test_a_part_that_is_the_whole_workflow_is_not_named_beside_it():
    traces = [trace(n, duration_s=9.0) for n in range(100)]

    assert named(seen(traces)) == {("slow", "workflow", "docs")}


@given(calls=st.integers(0, 120), least=st.integers(1, 120))
@settings(max_examples=25, deadline=None)
def test_fewer_calls_than_asked_for_are_never_a_problem(calls, least):
    traces = [trace(n, status="timeout", duration_s=30.0) for n in range(calls)]

    problems = seen(traces, min_calls=least)

    assert bool(problems) == (calls >= least)


@given(st.lists(st.sampled_from(["ok", "error", "timeout"]), min_size=60, max_size=90))
@settings(max_examples=25, deadline=None)
def test_problems_come_worst_first_and_each_is_beyond_its_limit(outcomes):
    problems = seen([trace(n, status=status) for n, status in enumerate(outcomes)])

    severities = [problem.severity for problem in problems]
    assert severities == sorted(severities, reverse=True)
    assert all(severity > 1.0 for severity in severities)


def test_requests_before_the_window_are_left_out():
    old = [trace(n, at=NOW - 4_000.0, status="error") for n in range(100)]

    assert seen([*old, *(trace(n) for n in range(100, 200))]) == []


@pytest.mark.parametrize("limit", ["window_s", "min_calls", "slow_mean_s", "error_share"])
def test_a_limit_of_nothing_is_refused(limit):
    with pytest.raises(ConfigError, match=limit):
        seen([], **{limit: 0})


def test_a_hundred_thousand_requests_are_weighed_in_seconds():
    spans = json.dumps([{"node": f"n{i}", "duration_s": 0.1, "status": "ok"} for i in range(5)])
    many = 100_000
    traces = (
        facts_of([])
        .traces.lazy()
        .collect()
        .clear(many)
        .with_columns(
            trace_id=pl.int_range(many).cast(pl.String),
            at=pl.lit(NOW - 5.0),
            workflow=pl.lit("docs"),
            variant=pl.lit("v1"),
            segment=pl.lit("s"),
            status=pl.lit("ok"),
            duration_s=pl.lit(5.0),
            spans=pl.lit(spans),
        )
    )
    facts = Facts(facts_of([]).exposures, traces, facts_of([]).feedback)
    began = time.perf_counter()

    problems = observe(facts, now=NOW)

    assert named(problems) == {("slow", "workflow", "docs")}
    assert time.perf_counter() - began < 10.0


def test_what_testers_forced_is_no_problem_of_users():
    slow = [trace(number, duration_s=9.0) for number in range(100)]
    forced = [{"trace_id": one["trace_id"], "at": one["at"], "forced": True} for one in slow]
    exposures = pl.DataFrame(forced, schema=SCHEMAS["exposure"])
    facts = facts_of(slow)

    assert named(observe(facts, now=NOW)) == {("slow", "workflow", "docs")}
    assert observe(Facts(exposures, facts.traces, facts.feedback), now=NOW) == []
