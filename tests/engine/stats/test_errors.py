import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.errors import error_log_e, error_noninferiority_log_e

shares = st.floats(0.02, 0.98)
cells = st.tuples(shares, st.integers(0, 20), st.integers(0, 40)).map(
    lambda cell: (cell[0], cell[1], cell[1] + cell[2])
)


@pytest.mark.parametrize(
    ("own", "others", "expected"),
    [
        (1, 16, -0.959387),
        (5, 16, 1.882258),
        (10, 16, 8.594201),
        (20, 160, 0.565979),
        (3, 0, 5.043343),
    ],
)
def test_counts_of_errors_give_the_published_evidence(own, others, expected):
    assert error_log_e([(1 / 17, own, own + others)]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("pi", [1 / 17, 0.5])
@pytest.mark.parametrize("test", [error_log_e, error_noninferiority_log_e])
def test_the_expected_wealth_at_the_margin_is_exactly_one(pi, test):
    theta = pi * 1.25 / (pi * 1.25 + 1 - pi)

    mean = sum(
        math.comb(12, own)
        * theta**own
        * (1 - theta) ** (12 - own)
        * math.exp(test([(pi, own, 12)]))
        for own in range(13)
    )

    assert mean == pytest.approx(1.0, abs=1e-12)


@given(cells, cells)
def test_one_mixture_spans_all_versions(a, b):
    halves = [(a[0], a[1], a[2]), (b[0], b[1], b[2])]
    split = [(a[0], a[1], a[1]), (b[0], b[1], b[2]), (a[0], 0, a[2] - a[1])]

    assert error_log_e(split) == pytest.approx(error_log_e(halves), abs=1e-9)


def test_mixing_over_versions_beats_mixing_in_each():
    cell = (1 / 17, 5, 21)

    assert error_log_e([cell] * 4) > 4 * error_log_e([cell])


@given(cells)
def test_one_more_error_of_the_candidate_raises_the_alarm_and_lowers_the_pass(cell):
    pi, own, total = cell

    assert error_log_e([(pi, own + 1, total + 1)]) > error_log_e([cell])
    assert error_noninferiority_log_e([(pi, own + 1, total + 1)]) < error_noninferiority_log_e(
        [cell]
    )


def test_no_errors_are_no_evidence():
    assert error_log_e([]) == pytest.approx(0.0, abs=1e-12)
    assert error_noninferiority_log_e([(0.3, 0, 0)]) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("cell", [(0.5, 3, 2), (0.5, -1, 2), (0.0, 0, 1), (math.nan, 0, 1)])
def test_counts_that_cannot_be_are_refused(cell):
    with pytest.raises(UnmeasuredError, match="errors"):
        error_log_e([cell])


def test_bets_on_the_wrong_side_of_the_margin_are_refused():
    with pytest.raises(ConfigError, match="above m0"):
        error_log_e([], ratios=(1.25, 2.0))
    with pytest.raises(ConfigError, match="below m0"):
        error_noninferiority_log_e([], ratios=(1.25, 0.5))
    with pytest.raises(ConfigError, match="above 0"):
        error_noninferiority_log_e([], ratios=(0.0,))
