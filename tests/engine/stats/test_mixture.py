import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.mixture import (
    bernoulli_interval,
    beta_binomial_bound,
    beta_binomial_log_e,
    count_log_e,
    gamma_exponential_bound,
    gamma_exponential_log_e,
    gamma_poisson_bound,
    gamma_poisson_log_e,
    normal_bound,
    normal_log_e,
    tuned_rho,
)
from engine.stats.stitching import empirical_process_lil_bound, poly_stitching_bound

ALPHA = 0.05
TWO = tuned_rho(100.0, ALPHA)
ONE = tuned_rho(100.0, ALPHA, one_sided=True)
PAIRS = (
    (normal_log_e, normal_bound, {"rho": TWO}),
    (normal_log_e, normal_bound, {"rho": ONE, "one_sided": True}),
    (gamma_exponential_log_e, gamma_exponential_bound, {"rho": ONE, "c": 2.0}),
    (gamma_poisson_log_e, gamma_poisson_bound, {"rho": ONE, "c": 2.0}),
    (beta_binomial_log_e, beta_binomial_bound, {"rho": TWO, "g": 0.2, "h": 0.8}),
    (
        beta_binomial_log_e,
        beta_binomial_bound,
        {"rho": ONE, "g": 0.2, "h": 0.8, "one_sided": True},
    ),
)
alphas = st.floats(0.0001, 0.3)


def test_the_reference_rho_holds():
    assert pytest.approx(12.60056, abs=1e-5) == TWO


# Howard's confseq, test/uniform_boundaries_unittest.cpp: V_OPT = 100, ALPHA = ALPHA_OPT = 0.05.
@pytest.mark.parametrize(
    ("pair", "log_e", "bound"),
    [
        (PAIRS[0], -0.6510052, 30.35209),
        (PAIRS[1], -0.06502391, 27.66071),
        (PAIRS[2], -0.2490165, 33.02017),
        (PAIRS[3], -0.06991219, 30.1949),
        (PAIRS[4], -0.6941012, 31.4308),
        (PAIRS[5], -0.07134019, 28.41238),
    ],
)
def test_the_reference_values_of_every_mixture_hold(pair, log_e, bound):
    found_log_e, found_bound, tuning = pair

    assert found_log_e(10.0, 100.0, **tuning) == pytest.approx(log_e, abs=1e-7)
    assert found_bound(100.0, alpha=ALPHA, **tuning) == pytest.approx(bound, abs=1e-5)


@given(st.sampled_from(PAIRS), st.floats(30.0, 3000.0), alphas)
def test_a_bound_is_where_its_mixture_refuses(pair, v, alpha):
    log_e, bound, tuning = pair

    found = bound(v, alpha=alpha, **tuning)

    assert log_e(found, v, **tuning) == pytest.approx(math.log(1 / alpha), abs=1e-6)


@given(st.sampled_from(PAIRS), st.floats(30.0, 3000.0), alphas, alphas)
def test_a_smaller_alpha_never_lowers_a_bound(pair, v, a, b):
    _, bound, tuning = pair
    small, large = sorted((a, b))

    assert bound(v, alpha=small, **tuning) >= bound(v, alpha=large, **tuning)


@pytest.mark.parametrize("one_sided", [False, True])
@pytest.mark.parametrize("p", [0.05, 0.5, 0.8])
def test_the_expected_wealth_of_a_true_rate_is_at_most_one(p, one_sided):
    n = 40
    rho = tuned_rho(20 * p * (1 - p), ALPHA, one_sided=one_sided)
    chances = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]

    wealth = [
        math.exp(count_log_e(k, n - k, p=p, rho=rho, one_sided=one_sided)) for k in range(n + 1)
    ]

    expected = sum(chance * coins for chance, coins in zip(chances, wealth, strict=True))
    assert expected <= 1.0 + 1e-9
    assert one_sided or expected == pytest.approx(1.0)


@given(st.floats(0.01, 0.99), st.integers(0, 400), st.integers(1, 400), st.booleans())
def test_counts_are_the_sums_of_their_indicators(p, successes, failures, one_sided):
    n = successes + failures
    v = n * p * (1 - p)

    of_sum = beta_binomial_log_e(successes - n * p, v, g=p, h=1 - p, rho=3.0, one_sided=one_sided)

    of_counts = count_log_e(successes, failures, p=p, rho=3.0, one_sided=one_sided)
    assert of_sum == pytest.approx(of_counts, abs=1e-7)


def test_no_units_are_no_evidence():
    assert count_log_e(0, 0, p=0.3, rho=2.0) == count_log_e(0, 0, p=0.3, rho=2.0, one_sided=True)
    assert count_log_e(0, 0, p=0.3, rho=2.0) == 0.0


def test_two_sided_evidence_is_the_same_in_a_mirror():
    up = beta_binomial_log_e(7.0, 30.0, g=0.2, h=0.8, rho=4.0)
    down = beta_binomial_log_e(-7.0, 30.0, g=0.8, h=0.2, rho=4.0)

    assert up == pytest.approx(down)


def test_too_little_variance_leaves_the_greatest_sum_that_can_be():
    found = beta_binomial_bound(0.16, alpha=0.001, g=0.2, h=0.8, rho=1.0, one_sided=True)

    assert found == pytest.approx(0.8)


def test_evidence_too_small_for_a_float_is_nothing():
    assert beta_binomial_log_e(-40_000, 16_000, g=0.2, h=0.4, rho=ONE, one_sided=True) == -math.inf


@pytest.mark.parametrize(("c", "expected"), [(3.0, 64.48755), (-1.0, 28.99389)])
def test_the_reference_values_of_stitching_hold(c, expected):
    found = poly_stitching_bound(100.0, alpha=ALPHA, v_min=10.0, c=c)

    assert found == pytest.approx(expected, abs=1e-5)


def test_a_stitched_bound_stays_what_it_is_below_its_first_variance():
    first = poly_stitching_bound(10.0, alpha=ALPHA, v_min=10.0, c=1.0)

    assert poly_stitching_bound(1.0, alpha=ALPHA, v_min=10.0, c=1.0) == first
    assert poly_stitching_bound(20.0, alpha=ALPHA, v_min=10.0, c=1.0) > first


def test_a_stitched_bound_costs_more_than_a_mixture_at_its_best():
    stitched = poly_stitching_bound(100.0, alpha=ALPHA, v_min=10.0, c=0.0)

    assert stitched > normal_bound(100.0, alpha=ALPHA, rho=ONE, one_sided=True)


@pytest.mark.parametrize(
    ("successes", "n", "planned", "low", "high"),
    [
        (700, 1000, 100, 0.651629, 0.745949),
        (15, 50, 50, 0.129556, 0.511896),
        (100, 200, 1, 0.328923, 0.671076),
    ],
)
def test_the_reference_intervals_of_a_rate_hold(successes, n, planned, low, high):
    found = bernoulli_interval(successes, n, alpha=ALPHA, planned_units=planned)

    assert found.low == pytest.approx(low, abs=1.1e-6)
    assert found.high == pytest.approx(high, abs=1.1e-6)
    assert found.estimate == successes / n


@given(st.integers(1, 5000), st.floats(0, 1), alphas, st.integers(1, 100_000))
def test_an_interval_of_a_rate_holds_the_rate_and_is_the_same_in_a_mirror(n, part, alpha, planned):
    successes = round(part * n)

    found = bernoulli_interval(successes, n, alpha=alpha, planned_units=planned)
    mirrored = bernoulli_interval(n - successes, n, alpha=alpha, planned_units=planned)

    assert 0.0 <= found.low <= found.estimate <= found.high <= 1.0
    assert found.high - found.low > 0.0
    assert mirrored.low == pytest.approx(1.0 - found.high, abs=1e-12)


def test_no_failure_leaves_the_greatest_rate_possible():
    found = bernoulli_interval(30, 30, alpha=ALPHA, planned_units=100)

    assert found.high == 1.0
    assert 0.7 < found.low < 0.95


def test_a_rate_is_covered_at_every_look():
    rng = np.random.default_rng(4)
    looks = range(20, 501, 40)
    missed = 0
    for _ in range(60):
        seen = np.cumsum(rng.random(500) < 0.1)
        found = [
            bernoulli_interval(int(seen[n - 1]), n, alpha=0.1, planned_units=200) for n in looks
        ]
        missed += not all(one.low <= 0.1 <= one.high for one in found)

    assert missed / 60 <= 0.1


def test_the_reference_distance_of_distributions_holds():
    found = empirical_process_lil_bound(1000, alpha=ALPHA, n_min=100)

    assert found == pytest.approx(0.08204769, abs=1e-6)


def test_a_distance_of_distributions_is_trivial_at_first_and_shrinks():
    found = [empirical_process_lil_bound(n, alpha=ALPHA, n_min=10) for n in (9, 10, 1000, 10_000)]

    assert found[0] == 1.0
    assert found[3] < found[2] < found[1] < 1.0
    assert empirical_process_lil_bound(1, alpha=ALPHA) == 1.0


def test_a_whole_distribution_is_covered_at_every_look():
    rng = np.random.default_rng(5)
    looks = range(100, 1001, 100)
    bounds = [empirical_process_lil_bound(n, alpha=ALPHA, n_min=100) for n in looks]
    missed = 0
    for _ in range(100):
        drawn = rng.random(1000)
        for n, bound in zip(looks, bounds, strict=True):
            steps = np.arange(n + 1) / n
            ordered = np.sort(drawn[:n])
            distance = max((steps[1:] - ordered).max(), (ordered - steps[:-1]).max())
            if distance > bound:
                missed += 1
                break

    assert missed / 100 <= ALPHA


@pytest.mark.parametrize(
    "asked",
    [
        lambda: tuned_rho(0.0, ALPHA),
        lambda: tuned_rho(1.0, 0.5, one_sided=True),
        lambda: normal_log_e(1.0, 0.0, rho=1.0),
        lambda: normal_bound(1.0, alpha=1.0, rho=1.0),
        lambda: normal_bound(math.nan, alpha=ALPHA, rho=1.0),
        lambda: gamma_exponential_log_e(1.0, 1.0, rho=1.0, c=0.0),
        lambda: gamma_poisson_bound(-1.0, alpha=ALPHA, rho=1.0, c=1.0),
        lambda: beta_binomial_log_e(1.0, 1.0, g=0.0, h=1.0, rho=1.0),
        lambda: count_log_e(1, 1, p=1.0, rho=1.0),
        lambda: count_log_e(1, 1, p=0.5, rho=0.0),
        lambda: beta_binomial_bound(1.0, alpha=ALPHA, g=0.0, h=1.0, rho=1.0),
        lambda: poly_stitching_bound(1.0, alpha=ALPHA, v_min=1.0, c=0.0, s=1.0),
        lambda: poly_stitching_bound(1.0, alpha=ALPHA, v_min=1.0, c=0.0, eta=1.0),
        lambda: empirical_process_lil_bound(10, alpha=ALPHA, n_min=0.5),
        lambda: empirical_process_lil_bound(10, alpha=ALPHA, a=0.7),
        lambda: empirical_process_lil_bound(10, alpha=0.0),
        lambda: bernoulli_interval(1, 2, alpha=ALPHA, planned_units=0),
        lambda: bernoulli_interval(1, 2, alpha=0.0, planned_units=10),
    ],
)
def test_an_impossible_request_is_refused(asked):
    with pytest.raises(ConfigError, match=r"lies between|lies? above|above the root"):
        asked()


@pytest.mark.parametrize(
    "asked",
    [
        lambda: gamma_exponential_log_e(-10.0, 1.0, rho=1.0, c=1.0),
        lambda: gamma_poisson_log_e(-10.0, 1.0, rho=1.0, c=1.0),
        lambda: beta_binomial_log_e(100.0, 1.0, g=0.5, h=0.5, rho=1.0),
        lambda: count_log_e(3, -1, p=0.5, rho=1.0),
        lambda: bernoulli_interval(3, 2, alpha=ALPHA, planned_units=10),
        lambda: bernoulli_interval(-1, 2, alpha=ALPHA, planned_units=10),
    ],
)
def test_a_sum_or_a_count_that_cannot_be_is_refused(asked):
    with pytest.raises(UnmeasuredError, match="can't be"):
        asked()


def test_a_rate_of_no_units_is_refused():
    with pytest.raises(UnmeasuredError, match="at least one"):
        bernoulli_interval(0, 0, alpha=ALPHA, planned_units=10)
