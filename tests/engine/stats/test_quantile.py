import math
from functools import reduce

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import ndtri

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.quantile import (
    BINS,
    EDGES_S,
    Histogram,
    histogram_of,
    merged,
    quantile_interval,
    quantile_ratio_interval,
    same_quantile_log_e,
)

latencies_s = st.lists(st.floats(0.0, 9_000.0), min_size=1, max_size=60)
seeds = st.integers(0, 2**32 - 1)
alphas = st.floats(0.001, 0.3)
usual_alphas = st.floats(0.001, 0.1)


def lognormal(seed, n, scale=1.0):
    return scale * np.random.default_rng(seed).lognormal(0.0, 0.8, n)


def test_a_decade_has_64_bins_from_a_millisecond_to_ten_thousand_seconds():
    assert EDGES_S[0] == pytest.approx(0.001)
    assert EDGES_S[64] == pytest.approx(0.01)
    assert EDGES_S[-1] == pytest.approx(10_000.0)


def test_a_latency_beyond_the_bins_is_kept_at_its_end():
    found = histogram_of([0.0, 0.0005, 1.0, 10_000.0, 50_000.0])

    assert found.n == 5
    assert found.counts[0] == 2
    assert found.counts[1 + 3 * 64] == 1
    assert found.counts[-1] == 2


def test_no_latency_is_an_empty_histogram():
    assert histogram_of([]) == Histogram()


@given(st.lists(latencies_s, min_size=1, max_size=6), st.randoms())
def test_the_order_of_merging_never_matters(parts, random):
    shuffled = random.sample(parts, len(parts))
    whole = histogram_of([latency for part in parts for latency in part])

    assert reduce(merged, map(histogram_of, shuffled)) == whole
    assert reduce(merged, map(histogram_of, parts), Histogram()) == whole


@given(latencies_s)
def test_a_bin_holds_what_fell_into_it(latencies):
    found = histogram_of(latencies)

    for place, edge in enumerate(EDGES_S):
        assert sum(found.counts[: place + 1]) == sum(latency < edge for latency in latencies)


@given(seeds, st.integers(300, 3000), st.sampled_from((0.5, 0.75, 0.9, 0.95)), alphas)
def test_an_interval_holds_the_empirical_quantile(seed, n, p, alpha):
    latencies = lognormal(seed, n)

    try:
        found = quantile_interval(histogram_of(latencies), p, alpha=alpha, planned_units=1000)
    except UnmeasuredError:
        assume(False)

    empirical = np.sort(latencies)[math.ceil(n * p) - 1]
    assert found.low <= empirical <= found.high
    assert found.low <= found.estimate <= found.high
    assert found.estimate == pytest.approx(empirical, rel=0.02)


@given(seeds, st.integers(300, 3000), usual_alphas, usual_alphas)
def test_an_interval_is_wider_for_a_smaller_alpha(seed, n, a, b):
    latencies = histogram_of(lognormal(seed, n))
    small, large = sorted((a, b))

    wide = quantile_interval(latencies, 0.75, alpha=small, planned_units=1000)
    narrow = quantile_interval(latencies, 0.75, alpha=large, planned_units=1000)

    assert wide.low <= narrow.low <= narrow.high <= wide.high


def test_a_quantile_is_covered_at_every_look():
    rng = np.random.default_rng(6)
    p, alpha, runs = 0.9, 0.1, 300
    true = math.exp(0.8 * float(ndtri(p)))
    missed = 0
    for _ in range(runs):
        seen = Histogram()
        found = []
        for part in rng.lognormal(0.0, 0.8, (10, 150)):
            seen = merged(seen, histogram_of(part))
            found.append(quantile_interval(seen, p, alpha=alpha, planned_units=800))
        missed += not all(one.low <= true <= one.high for one in found)

    assert missed / runs <= alpha + 2 * (alpha * (1 - alpha) / runs) ** 0.5


@pytest.mark.parametrize(("p", "first"), [(0.95, 234), (0.99, 672)])
def test_a_high_quantile_is_open_above_until_there_are_enough_units(p, first):
    def seen(n):
        return histogram_of(np.full(n, 2.0))

    with pytest.raises(UnmeasuredError, match=f"{first - 1} units leave the quantile {p} open"):
        quantile_interval(seen(first - 1), p, alpha=0.05, planned_units=2000)

    found = quantile_interval(seen(first), p, alpha=0.05, planned_units=2000)
    assert found.low <= 2.0 < found.high < 2.0 * 10 ** (1 / 64)


def test_a_few_units_leave_a_low_quantile_open_below():
    found = quantile_interval(histogram_of([1.0] * 100), 0.02, alpha=0.05, planned_units=2000)

    assert found.low == 0.0
    assert found.high > 1.0


def test_latencies_below_the_bins_lie_between_zero_and_a_millisecond():
    found = quantile_interval(histogram_of([0.0001] * 300), 0.5, alpha=0.05, planned_units=300)

    assert (found.low, found.estimate, found.high) == (0.0, EDGES_S[0] / 2, EDGES_S[0])


def test_a_quantile_beyond_the_bins_is_refused():
    with pytest.raises(UnmeasuredError, match="10000 s or more"):
        quantile_interval(histogram_of([20_000.0] * 300), 0.5, alpha=0.05, planned_units=300)


def test_no_units_leave_no_quantile():
    with pytest.raises(UnmeasuredError, match="not enough data: 0 units"):
        quantile_interval(Histogram(), 0.5, alpha=0.05, planned_units=300)


def test_a_ratio_of_quantiles_is_covered_and_found():
    missed = found_slower = 0
    for seed in range(40):
        slow, fast = lognormal(seed, 4000, 1.5), lognormal(1000 + seed, 4000)
        found = quantile_ratio_interval(
            histogram_of(slow), histogram_of(fast), 0.9, alpha=0.1, planned_units=4000
        )
        missed += not found.low <= 1.5 <= found.high
        found_slower += found.low > 1.0

    assert missed <= 4
    assert found_slower >= 36


def test_a_ratio_is_the_inverse_of_that_of_the_sides_exchanged():
    one, other = histogram_of(lognormal(1, 2000, 1.2)), histogram_of(lognormal(2, 2000))

    ratio = quantile_ratio_interval(one, other, 0.9, alpha=0.05, planned_units=4000)
    inverse = quantile_ratio_interval(other, one, 0.9, alpha=0.05, planned_units=4000)

    assert ratio.low == pytest.approx(1 / inverse.high)
    assert ratio.estimate == pytest.approx(1 / inverse.estimate)


def test_a_baseline_that_may_be_zero_leaves_no_ratio():
    slow, instant = histogram_of([1.0] * 300), histogram_of([0.0] * 300)

    with pytest.raises(UnmeasuredError, match="not known to exceed 0"):
        quantile_ratio_interval(slow, instant, 0.5, alpha=0.05, planned_units=300)


# Howard's confseq, unit test of p-values: 1..1000 against the same numbers shifted; t_opt 100.
@pytest.mark.parametrize(
    ("p", "shift", "expected"),
    [(0.5, 70, 0.814704), (0.5, 85, 0.0838055), (0.5, 100, 0.0054947), (0.9, 55, 0.0340463)],
)
def test_the_reference_tests_of_one_quantile_in_two_groups_hold(p, shift, expected):
    one, other = [1] * 1000 + [0] * shift, [0] * shift + [1] * 1000

    log_e = same_quantile_log_e(one, other, p, alpha=0.05, planned_units=100)

    assert math.exp(-log_e) == pytest.approx(expected, abs=1e-6)


def test_sides_of_one_kind_hardly_ever_differ_at_any_look_and_slower_ones_do():
    rng = np.random.default_rng(7)
    refused = found = 0
    for _ in range(20):
        same, other, slow = Histogram(), Histogram(), Histogram()
        most = slower = -math.inf
        for part in rng.lognormal(0.0, 0.5, (3, 3, 400)):
            same, other = merged(same, histogram_of(part[0])), merged(other, histogram_of(part[1]))
            slow = merged(slow, histogram_of(1.5 * part[2]))
            tuning = {"alpha": 0.1, "planned_units": 600}
            most = max(most, same_quantile_log_e(same.counts, other.counts, 0.75, **tuning))
            slower = max(slower, same_quantile_log_e(slow.counts, other.counts, 0.75, **tuning))
        refused += most >= math.log(10)
        found += slower >= math.log(10)

    assert refused <= 2
    assert found >= 18


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.001])
def test_a_latency_that_cannot_be_is_refused(value):
    with pytest.raises(UnmeasuredError, match="NaN, infinite or below 0"):
        histogram_of([1.0, value])


@pytest.mark.parametrize("counts", [(1, 2), (-1,) + (0,) * (BINS + 1)])
def test_counts_that_are_no_histogram_are_refused(counts):
    with pytest.raises(UnmeasuredError, match="450 counts"):
        Histogram(counts=counts)


@pytest.mark.parametrize(
    ("one", "other"), [([0, 0], [1, 1]), ([1, 1], [0, 0]), ([1, 1], [1, 1, 1])]
)
def test_sides_that_cannot_be_compared_are_refused(one, other):
    with pytest.raises(UnmeasuredError, match="in the same bins"):
        same_quantile_log_e(one, other, 0.5, alpha=0.05, planned_units=100)


@pytest.mark.parametrize("p", [0.0, 1.0, math.nan])
def test_an_impossible_quantile_is_refused(p):
    with pytest.raises(ConfigError, match="a quantile lies between"):
        quantile_interval(histogram_of([1.0]), p, alpha=0.05, planned_units=100)


@pytest.mark.parametrize(("alpha", "planned"), [(0.0, 100), (0.5, 100), (0.05, 0)])
def test_an_impossible_alpha_or_plan_is_refused(alpha, planned):
    with pytest.raises(ConfigError, match="lies"):
        quantile_interval(histogram_of([1.0]), 0.5, alpha=alpha, planned_units=planned)
