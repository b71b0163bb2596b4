import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.books.rows import columns_of, insert_of, table_of, values_of
from engine.errors import BookError
from engine.evidence.records import SCHEMAS
from tests.engine.books.facts import exposure, score


def test_an_absent_column_is_none_never_a_number():
    values = dict(
        zip(
            columns_of("trace"),
            values_of("trace", {"trace_id": "t", "at": 1, "cost_usd": None}),
            strict=True,
        )
    )

    assert values["at"] == 1.0
    assert {name for name, value in values.items() if value is None} == set(
        SCHEMAS["trace"].names
    ) - {"trace_id", "at"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"at": float("nan")},
        {"at": float("inf")},
        {"at": "noon"},
        {"at": None},
        {"at": True},
        {"trace_id": None},
        {"trace_id": 5},
        {"unit_id": "\ud800"},
        {"bucket": 1 << 31},
        {"bucket": 1.0},
        {"version": 1 << 63},
        {"forced": 1},
        {"bukcet": 1},
    ],
)
def test_a_value_that_does_not_fit_its_column_is_refused(wrong):
    with pytest.raises(BookError, match="exposure"):
        values_of("exposure", exposure("t") | wrong)


def test_feedback_needs_all_its_columns():
    row = score("k")
    del row["score"]

    with pytest.raises(BookError, match=r"feedback\.score is missing"):
        values_of("feedback", row)


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from([-(1 << 31), 1 << 31, -(1 << 63), 1 << 63, "\ud800", "é"]),
    st.binary(),
)


@given(st.fixed_dictionaries(dict.fromkeys(("unit_id", "bucket", "version", "forced"), odd)))
def test_what_is_not_refused_is_kept_as_it_was_said(given):
    try:
        values = values_of("exposure", exposure("t") | given)
    except BookError:
        return

    database = sqlite3.connect(":memory:")
    database.execute(table_of("exposure"))
    database.execute(insert_of("exposure"), values)
    names = ", ".join(given)
    assert database.execute(f"SELECT {names} FROM exposure").fetchone() == tuple(given.values())
    database.close()
