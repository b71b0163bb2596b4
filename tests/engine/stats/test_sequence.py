import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.moments import moments_of
from engine.stats.sequence import (
    best_rho,
    difference_interval,
    kappa,
    mean_interval,
    one_sided_log_e,
    one_sided_width,
    two_sided_log_e,
    two_sided_width,
    width_ratio,
)
from tests.engine.stats.examples import binary, thumbs

PARTS = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 10, 100)
alphas = st.floats(0.0001, 0.3)


def test_the_reference_values_of_both_normal_mixtures_hold():
    two, one = best_rho(100, 0.05), best_rho(100, 0.10)

    assert two == pytest.approx(12.60056, abs=1e-5)
    assert two_sided_log_e(1.0, 100 / two) == pytest.approx(-0.6510052, abs=1e-7)
    assert 10 * two_sided_width(100 / two, 0.05) == pytest.approx(30.35209, abs=1e-5)
    assert one_sided_log_e(1.0, 100 / one) == pytest.approx(-0.06502391, abs=1e-8)
    assert 10 * one_sided_width(100 / one, 0.05) == pytest.approx(27.66071, abs=1e-5)


@pytest.mark.parametrize(
    ("alpha", "one_sided", "expected"),
    [
        (0.05, False, (2.38, 1.95, 1.66, 1.57, 1.549, 1.56, 1.60, 1.66, 1.82)),
        (0.05, True, (2.75, 2.21, 1.83, 1.72, 1.682, 1.70, 1.74, 1.82, 2.02)),
        (0.0025, True, (1.89, 1.60, 1.41, 1.36, 1.345, 1.35, 1.37, 1.41, 1.50)),
    ],
)
def test_the_price_of_looking_always_is_the_published_one(alpha, one_sided, expected):
    widths = [width_ratio(part, alpha, one_sided=one_sided) for part in PARTS]

    assert widths == pytest.approx(expected, abs=0.0055)
    assert min(widths) == widths[4] == pytest.approx(expected[4], abs=0.0005)


def test_more_units_by_the_square_of_the_price_are_the_published_ones():
    inflation = [width_ratio(part, 0.05) ** 2 for part in PARTS]

    expected = (5.7, 3.8, 2.75, 2.47, 2.40, 2.44, 2.55, 2.74, 3.31)
    assert inflation == pytest.approx(expected, rel=0.01)


@given(st.floats(0.01, 100), alphas)
def test_a_width_is_where_its_test_refuses(x, alpha):
    nats = math.log(1 / alpha)

    assert two_sided_log_e(two_sided_width(x, alpha), x) == pytest.approx(nats)
    assert one_sided_log_e(one_sided_width(x, alpha), x) == pytest.approx(nats)


@given(alphas, st.floats(0.3, 3.0))
def test_the_exact_kappa_is_where_the_width_is_least(alpha, factor):
    best = kappa(alpha, exact=True)

    # The width at a fixed time depends on x alone.
    assert two_sided_width(best, alpha) <= two_sided_width(best * factor, alpha) + 1e-12


def test_kappa_at_five_percent_is_the_published_one():
    assert kappa(0.05) == pytest.approx(7.936, abs=5e-4)
    assert kappa(0.05, exact=True) == pytest.approx(8.212, abs=5e-4)


@given(st.floats(-50, 50), st.floats(-50, 50), st.floats(0.01, 100))
def test_one_sided_evidence_rises_with_the_figure(a, b, x):
    low, high = sorted((a, b))

    assert one_sided_log_e(low, x) <= one_sided_log_e(high, x)


@pytest.mark.parametrize("x", [0.3, 6.0])
def test_the_expected_wealth_of_a_null_at_its_boundary_is_one(x):
    z = np.linspace(-12, 12, 4001)
    density = np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    wealth = np.exp([one_sided_log_e(point, x) for point in z])

    assert (density * wealth).sum() * (z[1] - z[0]) == pytest.approx(1.0, abs=1e-3)


def test_a_mean_is_covered_at_every_look():
    rng = np.random.default_rng(2)
    missed = 0
    for _ in range(200):
        drawn = rng.exponential(1.0, 2000)
        looks = [moments_of(drawn[:n]) for n in range(200, 2001, 100)]
        found = [mean_interval(m, alpha=0.05, planned_units=1000) for m in looks]
        missed += not all(one.low <= 1.0 <= one.high for one in found)

    assert missed / 200 <= 0.05


def test_a_difference_under_changing_shares_is_covered_and_found():
    rng = np.random.default_rng(3)
    missed = found = 0
    for _ in range(100):
        pair = []
        intervals = []
        for look in range(10):
            pair.append(thumbs(rng, 0.5 if look % 2 else 0.2, 800, 0.7, 0.6))
            intervals.append(
                difference_interval(pair, f=0.6, alpha=0.05, planned_units=2000, n_min=100)
            )
        missed += not all(one.low <= 0.1 <= one.high for one in intervals)
        found += intervals[-1].low > 0.0

    assert missed <= 5 + 2 * (100 * 0.05 * 0.95) ** 0.5
    assert found >= 95


def test_the_estimate_lies_midway_and_moves_with_the_margin_of_error():
    pair = [binary(0.5, 620, 380, 600, 400)]

    wide = difference_interval(pair, f=0.6, alpha=0.01, planned_units=2000)
    narrow = difference_interval(pair, f=0.6, alpha=0.05, planned_units=2000)

    assert wide.low < narrow.low < narrow.estimate < narrow.high < wide.high
    assert narrow.estimate == pytest.approx(0.02)
    assert narrow.high + narrow.low == pytest.approx(0.04)


def test_an_even_split_is_tightest_at_the_planned_units():
    pair = [binary(0.5, 600, 400, 600, 400)]

    found = difference_interval(pair, f=0.6, alpha=0.05, planned_units=2000)

    error = 2 * (0.6 * 0.4 / 2000) ** 0.5
    assert found.high == pytest.approx(1.549 * 1.96 * error, rel=1e-3)
    for planned in (1000, 4000):
        other = difference_interval(pair, f=0.6, alpha=0.05, planned_units=planned)
        assert other.high > found.high


def test_few_units_or_a_rare_outcome_are_refused():
    with pytest.raises(UnmeasuredError, match="200 values, got 3"):
        mean_interval(moments_of([1.0, 2.0, 3.0]), alpha=0.05, planned_units=100)
    with pytest.raises(UnmeasuredError, match="got 199 and 300"):
        difference_interval([binary(0.5, 99, 100, 150, 150)], f=0.6, alpha=0.05, planned_units=9)
    with pytest.raises(UnmeasuredError, match="50 of each outcome, got 951 and 49"):
        difference_interval([binary(0.5, 480, 20, 471, 29)], f=0.6, alpha=0.05, planned_units=9)


def test_scores_without_spread_leave_no_interval():
    same = binary(0.5, 300, 0, 300, 0)

    with pytest.raises(UnmeasuredError, match="no spread"):
        difference_interval([same], f=1.0, alpha=0.05, planned_units=900, outcome_min=0)


@pytest.mark.parametrize("alpha", [0.0, 1.0, math.nan])
def test_an_impossible_alpha_is_refused(alpha):
    with pytest.raises(ConfigError, match="alpha"):
        kappa(alpha)


@pytest.mark.parametrize(
    ("se", "low", "high", "planned_units"),
    [
        (0.03386, 0.40098, 0.60675, 5_000),
        (0.33341, -0.55844, 1.56516, 1_000),
        (0.3093, -0.43745, 1.44217, 5_000),
    ],
)
def test_the_published_widths_of_growthbook_hold(se, low, high, planned_units):
    """Its sequential relative effects over 3000 and 3461 units: rates, means, and with CUPED."""
    x = kappa(0.05) * 6_461 / planned_units

    assert two_sided_width(x, 0.05) == pytest.approx((high - low) / 2.0 / se, rel=2e-4)
