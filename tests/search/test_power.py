"""Laws and golden values of what tests of a known effect need."""

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from engine.stats.betting import PROMOTION, log_e
from engine.stats.tally import tally_of
from search.power import Pair, _log_factors, crossings, fixed_power, fixed_units, information

EVEN, SMALL = 1 / 2, 1 / 17

pairs = st.builds(
    Pair, rate=st.floats(0.2, 0.7), effect=st.floats(0.01, 0.2), pi=st.floats(0.05, 0.5)
)


@pytest.mark.parametrize(("pi", "nats"), [(EVEN, 4.204e-4), (SMALL, 7.892e-4)])
def test_information_of_a_unit(pi, nats):
    assert information(Pair(0.6, 0.02, pi)) == pytest.approx(nats, rel=2e-4)


@pytest.mark.parametrize(
    ("pi", "power", "units"),
    [(EVEN, 0.8, 7_351), (EVEN, 0.9, 10_182), (SMALL, 0.8, 3_873), (SMALL, 0.9, 5_365)],
)
def test_length_of_a_fixed_test(pi, power, units):
    assert fixed_units(Pair(0.6, 0.02, pi), 0.05, power) == pytest.approx(units, abs=0.6)


@given(pairs, st.floats(0.001, 0.2), st.floats(0.3, 0.99))
def test_a_fixed_test_of_its_length_has_its_power(pair, alpha, power):
    units = fixed_units(pair, alpha, power)

    assert fixed_power(pair, alpha, np.array([units]))[0] == pytest.approx(power)


def test_without_units_a_fixed_test_promotes_by_its_level():
    assert fixed_power(Pair(0.6, 0.02, EVEN), 0.05, np.zeros(1))[0] == pytest.approx(0.05)


@given(pairs)
def test_information_is_the_least_divergence_over_common_rates(pair):
    better, ratio = pair.rate + pair.effect, (1 - pair.pi) / pair.pi

    def divergence(p, q):
        return p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))

    common = np.linspace(pair.rate, better, 41)
    least = min(divergence(better, q) + ratio * divergence(pair.rate, q) for q in common)

    assert information(pair) <= least + 1e-12
    assert information(pair) == pytest.approx(least, rel=5e-3)


@settings(max_examples=25)
@given(pairs, st.tuples(*[st.integers(0, 50)] * 4))
def test_outcomes_add_up_to_the_evidence_of_the_decision(pair, counts):
    good, bad, base_good, base_bad = counts
    tally = tally_of(pair.pi, [1.0] * good + [0.0] * bad, [1.0] * base_good + [0.0] * base_bad)
    growth = np.array(counts) @ _log_factors(pair, PROMOTION) + np.log(PROMOTION.weights)

    assert np.logaddexp.reduce(growth) == pytest.approx(
        log_e([tally], f=pair.rate, bets=PROMOTION), abs=1e-9
    )


@pytest.mark.parametrize(
    ("pi", "median", "mean", "p90"), [(EVEN, 7_841, 9_076, 18_120), (SMALL, 4_510, 5_081, 9_900)]
)
def test_evidence_takes_what_the_design_measured(pi, median, mean, p90):
    """The design's figures are for a grid of five effects from half the effect, a little slower."""
    units = crossings(
        Pair(0.6, 0.02, pi), log(20), bets=PROMOTION, longest=8 * median, seed=1, replicates=1_000
    )

    assert 0.78 * median < np.median(units) < 1.05 * median
    assert 0.85 * mean < units.mean() < 1.05 * mean
    assert 0.85 * p90 < np.quantile(units, 0.9) < 1.1 * p90


def test_no_effect_is_rarely_proved():
    units = crossings(
        Pair(0.6, 1e-9, SMALL), log(20), bets=PROMOTION, longest=20_000, seed=2, replicates=1_000
    )

    assert np.isfinite(units).mean() <= 0.05 + norm.ppf(0.99) * (0.05 * 0.95 / 1_000) ** 0.5


def test_the_same_seed_gives_the_same_crossings():
    def once():
        pair = Pair(0.6, 0.08, EVEN)
        return crossings(pair, 3.0, bets=PROMOTION, longest=2_000, seed=4, replicates=50)

    np.testing.assert_array_equal(once(), once())
