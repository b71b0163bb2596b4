"""Laws of planned looks: their total risk is declared, and the published bounds hold."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtri

from engine.errors import ConfigError
from engine.stats.group_sequential import (
    crossing_chances,
    drift_of,
    obrien_fleming,
    pocock,
    spending_bounds,
    spent,
)

QUARTERS = (0.25, 0.5, 0.75, 1.0)
few = settings(max_examples=25, deadline=None)
plans = st.lists(st.floats(0.05, 0.95), min_size=0, max_size=5, unique=True).map(
    lambda times: (*sorted(times), 1.0)
)


def apart(times):
    return all(b - a > 0.01 for a, b in pairwise(times))


def test_the_published_bounds_of_four_looks_hold():
    """Lan-DeMets with O'Brien-Fleming spending at one-sided .05, as SeqBounds.jl prints them.

    The last two are integrated more coarsely there: a multivariate normal gives their look a risk
    of 0.0236267 where 0.0236251 is declared, and ours 0.0236252.
    """
    found = spending_bounds(QUARTERS, alpha=0.05)

    assert found[:2] == pytest.approx((3.74955, 2.53993), abs=2e-5)
    assert found[2:] == pytest.approx((2.01604, 1.72014), abs=4e-5)


def test_the_published_spending_of_four_looks_holds():
    assert spent(QUARTERS, alpha=0.05) == pytest.approx(
        (8.85754e-5, 0.0055746, 0.0236251, 0.05), rel=2e-5
    )


def test_the_published_constants_of_five_looks_hold():
    assert obrien_fleming(5, alpha=0.05) == pytest.approx(2.0401, abs=5e-5)
    assert pocock(5, alpha=0.05) == pytest.approx(2.4132, abs=5e-5)


@few
@given(plans.filter(apart), st.floats(0.001, 0.2), st.sampled_from(["obf", "pocock"]))
def test_the_total_risk_of_the_looks_is_what_was_declared(times, alpha, spending):
    bounds = spending_bounds(times, alpha=alpha, spending=spending)

    chances = crossing_chances(bounds, times)
    assert np.cumsum(chances) == pytest.approx(
        spent(times, alpha=alpha, spending=spending), abs=1e-6
    )
    assert sum(chances) == pytest.approx(alpha, abs=1e-6)


def test_one_look_is_the_usual_test():
    assert spending_bounds([1.0], alpha=0.05) == pytest.approx((1.6448536,), abs=1e-6)
    assert pocock(1, alpha=0.05) == pytest.approx(1.959964, abs=1e-6)


def test_more_looks_cost_power_at_the_same_number_of_units():
    drift = -float(ndtri(0.05)) + float(ndtri(0.8))

    one = sum(crossing_chances(spending_bounds([1.0], alpha=0.05), [1.0], drift=drift))
    four = sum(crossing_chances(spending_bounds(QUARTERS, alpha=0.05), QUARTERS, drift=drift))

    assert one == pytest.approx(0.8, abs=1e-6)
    assert 0.77 < four < 0.8


def test_the_drift_of_a_plan_finds_its_power_again():
    bounds = spending_bounds(QUARTERS, alpha=0.05)

    drift = drift_of(0.8, bounds, QUARTERS)

    assert sum(crossing_chances(bounds, QUARTERS, drift=drift)) == pytest.approx(0.8, abs=1e-9)
    assert 1.0 < (drift / (1.6448536 + 0.8416212)) ** 2 < 1.05


def test_equal_variants_cross_no_more_often_than_declared():
    rng = np.random.default_rng(9)
    bounds = spending_bounds(QUARTERS, alpha=0.05)
    sums = rng.normal(0.0, 0.5, size=(20_000, 4)).cumsum(axis=1)

    crossed = (sums / np.sqrt(QUARTERS) >= bounds).any(axis=1).mean()

    assert crossed == pytest.approx(0.05, abs=2.0 * math.sqrt(0.05 * 0.95 / 20_000) + 1e-3)


def test_a_two_sided_plan_sees_both_directions():
    bounds = [pocock(3, alpha=0.05)] * 3
    thirds = (1 / 3, 2 / 3, 1.0)

    up = crossing_chances(bounds, thirds, drift=2.0, two_sided=True)
    down = crossing_chances(bounds, thirds, drift=-2.0, two_sided=True)

    assert up == pytest.approx(down, abs=1e-9)


@pytest.mark.parametrize("fractions", [(), (0.5,), (0.5, 0.5, 1.0), (0.0, 1.0), (0.6, 0.4, 1.0)])
def test_looks_that_do_not_rise_to_one_are_refused(fractions):
    with pytest.raises(ConfigError, match="they rise from above 0 to 1"):
        spending_bounds(fractions, alpha=0.05)


def test_looks_too_close_to_tell_apart_are_refused():
    with pytest.raises(ConfigError, match="too close"):
        spending_bounds((0.5, 0.5001, 1.0), alpha=0.05)


def test_figures_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"alpha is 1\.0"):
        spending_bounds(QUARTERS, alpha=1.0)
    with pytest.raises(ConfigError, match="2 bounds for 4 looks"):
        crossing_chances([2.0, 2.0], QUARTERS)
    with pytest.raises(ConfigError, match=r"power is 1\.0"):
        drift_of(1.0, [1.64], [1.0])
    with pytest.raises(ConfigError, match="plan at least one"):
        pocock(0, alpha=0.05)
