import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.books.secret import sign
from engine.errors import ConfigError, NotFoundError, TrimtabError
from serve_apps.gateway.feedback import feedback_row

calm = settings(deadline=None)

SECRET = b"s" * 32
TRACE = sign(SECRET, "0123456789abcdef")
SAID = {"trace_id": TRACE, "score": 0.8}


def row_of(**changes):
    return feedback_row(SAID | changes, SECRET, 12.5)


def test_a_score_becomes_a_row_about_the_objective():
    row = row_of(idempotency_key="mine")

    assert row == {
        "key": "mine",
        "at": 12.5,
        "trace_id": TRACE,
        "metric": "quality",
        "score": 0.8,
    }


@calm
@given(st.floats(0, 1) | st.sampled_from([0, 1]))
def test_every_number_from_0_to_1_is_a_score(score):
    row = row_of(score=score)

    assert row["score"] == score
    assert isinstance(row["score"], float)


@pytest.mark.parametrize(
    "score",
    [math.nan, math.inf, -math.inf, -0.001, 1.001, -1, 2, "0.5", "", None, [], {}, [0.5]],
)
def test_anything_else_is_no_score(score):
    with pytest.raises(ConfigError, match="`score`"):
        row_of(score=score)


def test_a_figure_beyond_all_floats_is_no_score():
    with pytest.raises(ConfigError, match="`score`"):
        row_of(score=10**400)


@pytest.mark.parametrize("score", [True, False])
def test_a_yes_or_no_is_no_number(score):
    with pytest.raises(ConfigError, match="`score`"):
        row_of(score=score)


def test_a_missing_score_is_named():
    with pytest.raises(ConfigError, match="`score`"):
        feedback_row({"trace_id": TRACE}, SECRET, 12.5)


@pytest.mark.parametrize(
    "trace_id",
    [
        None,
        3,
        [],
        {},
        "",
        ".",
        "0123456789abcdef",
        TRACE[:-1],
        TRACE + "0",
        TRACE.replace("0123", "1123"),
        sign(b"o" * 32, "0123456789abcdef"),
        "half \ud800." + "0" * 16,
    ],
)
def test_a_trace_id_that_we_never_gave_out_is_not_found(trace_id):
    with pytest.raises(NotFoundError, match="never given out"):
        row_of(trace_id=trace_id)


def test_a_missing_trace_id_is_not_found():
    with pytest.raises(NotFoundError):
        feedback_row({"score": 1.0}, SECRET, 12.5)


def test_an_unknown_key_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="unknown key 'rating'; feedback holds idempotency_key"):
        row_of(rating=5)


@pytest.mark.parametrize("metric", [None, "", 3, [], {}, True])
def test_a_metric_is_a_name(metric):
    with pytest.raises(ConfigError, match="`metric`"):
        row_of(metric=metric)


@pytest.mark.parametrize("key", ["", 3, [], {}, True, "k" * 201])
def test_an_idempotency_key_is_short_text(key):
    with pytest.raises(ConfigError, match="`idempotency_key`"):
        row_of(idempotency_key=key)


@pytest.mark.parametrize("metric", ["polite@2", "fair@1:label", "fair@1:asked", "@"])
def test_nobody_scores_for_an_evaluator_or_for_those_who_label(metric):
    with pytest.raises(ConfigError, match="evaluators' own"):
        row_of(metric=metric)


def test_nobody_claims_the_key_under_which_an_evaluator_will_score():
    other = sign(SECRET, "fedcba9876543210")

    for trace_id in (TRACE, other):
        with pytest.raises(ConfigError, match="evaluator"):
            row_of(idempotency_key=f"polite@2:{trace_id}")
    assert row_of(idempotency_key="ada@example.org:7")["key"] == "ada@example.org:7"


def test_the_longest_key_and_another_metric_are_kept():
    row = row_of(idempotency_key="k" * 200, metric="tone")

    assert (row["key"], row["metric"]) == ("k" * 200, "tone")


@calm
@given(st.floats(0, 1), st.floats(0, 1))
def test_without_a_key_the_same_words_are_the_same_feedback(a, b):
    first, again, other = row_of(score=a), row_of(score=a), row_of(score=b)

    assert first["key"] == again["key"]
    assert (first["key"] == other["key"]) == (a == b)


def test_without_a_key_another_trace_or_metric_is_other_feedback():
    elsewhere = sign(SECRET, "another")

    keys = {row["key"] for row in (row_of(), row_of(metric="tone"), row_of(trace_id=elsewhere))}

    assert len(keys) == 3


def test_1_and_1_point_0_are_the_same_words():
    assert row_of(score=1)["key"] == row_of(score=1.0)["key"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@calm
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "trace_id": st.just(TRACE) | json_values,
            "score": st.floats(0, 1) | json_values,
            "metric": json_values,
            "idempotency_key": json_values,
            "other": json_values,
        },
    )
)
def test_any_body_is_a_row_or_refused_for_a_reason(body):
    try:
        row = feedback_row(body, SECRET, 12.5)
    except TrimtabError:
        return

    assert 0.0 <= row["score"] <= 1.0
    assert row["trace_id"] == TRACE
