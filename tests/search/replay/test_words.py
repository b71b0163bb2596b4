"""Laws of the table for people: a cell under every head, and no figure for what never was."""

from search.replay.summary import summarised
from search.replay.words import AMONG_EQUALS, COLUMNS, table_of
from tests.search.replay.results import promotion, result


def test_a_row_has_a_cell_under_every_head():
    full = result(promotion(0.02), worst_segment_harm=-0.03, cost=2_000.0)
    back = result(promotion(0.02, rank=None), promotion(-0.02, rollback=True), cost=2.0)

    for results in ([full, full], [back, back], [result(), result()]):
        columns, rows = table_of(summarised(results), aa=False)
        assert columns == COLUMNS
        assert all(len(row) == len(columns) and all(row) for row in rows)


def test_the_words_of_a_row():
    full = result(promotion(0.02, at=300), worst_segment_harm=-0.03, cost=2_000.0)

    columns, (row,) = table_of(summarised([full, full, full]), aa=False)

    told = dict(zip(columns, row, strict=True))
    assert told["promotions"] == "3 in 3 replays"
    assert told["truly worse"] == "0.0 % (0.0 to 56.1)"
    assert told["true lift (rank)"] == "+2.0 points (1)"
    assert told["regret a request"] == "2.00 ± 0.00 points"
    assert told["first true promotion"] == "median 300, p90 300"
    assert told["worst segment"] == "-3.0 points"
    assert told["cost of 1,000"] == "2,000"


def test_among_equals_only_mistakes_are_left_to_tell():
    columns, rows = table_of(summarised([result(promotion(-0.01)), result()]), aa=True)

    assert columns == AMONG_EQUALS
    assert rows == [["trimtab", "1 in 2 replays", "50.0 % (9.5 to 90.5)"]]
