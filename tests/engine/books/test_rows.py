import pytest

from engine.books.rows import columns_of, values_of
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
