"""Laws of the test of a limit on a quantile, statistics.md (10)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.exceedance import BETS, exceedance_log_e

counts = st.integers(0, 400).flatmap(lambda units: st.tuples(st.integers(0, units), st.just(units)))


def test_the_product_of_its_factors_is_its_value():
    within = [(1.0 + 0.05 * g) ** 30 * (1.0 - 0.95 * g) ** 2 for g in BETS]

    assert exceedance_log_e([(2, 32)]) == pytest.approx(math.log(sum(within) / 4))


@pytest.mark.parametrize("units", range(1, 7))
def test_its_mean_is_one_where_exactly_the_allowed_part_is_slow(units):
    mean = sum(
        math.comb(units, over)
        * 0.05**over
        * 0.95 ** (units - over)
        * math.exp(exceedance_log_e([(over, units)]))
        for over in range(units + 1)
    )

    assert mean == pytest.approx(1.0)


@given(counts, counts)
def test_versions_add_up(one, other):
    together = (one[0] + other[0], one[1] + other[1])

    assert exceedance_log_e([one, other]) == pytest.approx(exceedance_log_e([together]))


@given(st.integers(1, 400), st.data())
def test_one_more_slow_unit_never_helps(units, data):
    over = data.draw(st.integers(0, units - 1))

    assert exceedance_log_e([(over + 1, units)]) < exceedance_log_e([(over, units)])


def test_no_units_show_nothing():
    assert exceedance_log_e([]) == pytest.approx(0.0)


@pytest.mark.parametrize("count", [(-1, 4), (5, 4)])
def test_an_impossible_count_is_refused(count):
    with pytest.raises(UnmeasuredError, match="can't be a count"):
        exceedance_log_e([count])


@pytest.mark.parametrize("wrong", [{"p": 0.0}, {"p": 1.0}, {"bets": (0.0,)}, {"bets": (1.0,)}])
def test_a_part_outside_nought_and_one_is_refused(wrong):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        exceedance_log_e([(1, 4)], **wrong)
