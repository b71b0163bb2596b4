import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.stats.betting import (
    HARM,
    PROMOTION,
    Bets,
    Tally,
    bets_for,
    error_free_log_e,
    harm_log_e,
    log_e,
    lower_bound,
    tally_of,
    upper_bound,
)
from engine.stats.crossing import crossing
from tests.engine.stats.examples import binary

shares = st.floats(0.02, 0.98)
centres = st.integers(0, 100).map(lambda k: k / 100)
margins = st.floats(-1.0, 1.0)
scores = st.lists(st.integers(0, 100).map(lambda k: k / 100), max_size=15)
tallies = st.builds(tally_of, shares, scores, scores, st.integers(0, 5), st.integers(0, 5))


@pytest.mark.parametrize(
    ("pi", "counts", "expected"),
    [
        (1 / 2, (620, 380, 600, 400), -0.083007),
        (1 / 2, (6200, 3800, 6000, 4000), 3.298203),
        (1 / 17, (640, 360, 9600, 6400), 2.456069),
        (1 / 17, (600, 400, 9600, 6400), -1.644183),
        (1 / 17, (560, 440, 9600, 6400), -4.869991),
        (1 / 17, (0, 20, 192, 128), -1.625341),
    ],
)
def test_four_counters_give_the_published_evidence(pi, counts, expected):
    assert log_e([binary(pi, *counts)], f=0.6) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("pi", [0.5, 1 / 17, 0.8])
@pytest.mark.parametrize(("f", "rate"), [(0.6, 0.6), (0.6, 0.75), (0.0, 0.3), (1.0, 0.9)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_expected_wealth_of_equal_variants_is_exactly_one(pi, f, rate, mirrored):
    for n in range(1, 7):
        mean = expected_wealth(n, pi, rate, rate, f=f, mirrored=mirrored)

        assert mean == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("pi", [0.5, 1 / 17, 0.8])
@pytest.mark.parametrize("n", [1, 3, 6])
def test_the_expected_wealth_of_a_worse_candidate_is_below_one(pi, n):
    assert expected_wealth(n, pi, 0.55, 0.6, f=0.6) < 1.0


@pytest.mark.parametrize("m", [-0.1, 0.1])
def test_the_expected_wealth_is_one_where_the_lift_equals_the_margin(m):
    mean = expected_wealth(4, 0.2, 0.5 + m, 0.5, f=0.5, m=m)

    assert mean == pytest.approx(1.0, abs=1e-12)


def expected_wealth(n, pi, candidate_rate, baseline_rate, **test):
    """Sum over all 4**n histories, gathered by their counts."""
    chances = (
        pi * candidate_rate,
        pi * (1 - candidate_rate),
        (1 - pi) * baseline_rate,
        (1 - pi) * (1 - baseline_rate),
    )
    mean = 0.0
    for counts in product(range(n + 1), repeat=4):
        if sum(counts) == n:
            ways = math.factorial(n) / math.prod(math.factorial(c) for c in counts)
            chance = ways * math.prod(p**c for p, c in zip(chances, counts, strict=True))
            mean += chance * math.exp(log_e([binary(pi, *counts)], **test))
    return mean


@given(st.lists(shares, min_size=1, max_size=4), st.randoms(use_true_random=False), margins)
@settings(max_examples=40)
def test_counters_equal_the_product_over_units_in_any_order(pis, random, m):
    units = [(random.choice(pis), random.random() < 0.5, random.randint(0, 100)) for _ in range(30)]
    by_share = {pi: tally_of(pi, [], []) for pi in pis}
    for pi, own, k in units:
        score = [k / 100]
        by_share[pi] += tally_of(pi, score, []) if own else tally_of(pi, [], score)

    random.shuffle(units)

    assert log_e(list(by_share.values()), f=0.6, m=m) == pytest.approx(
        one_by_one(units, 0.6, m, PROMOTION), abs=1e-9
    )


def one_by_one(units, f, m, bets):
    coins = np.array(bets.weights)
    for pi, own, k in units:
        gap = k / 100 - f
        outcome = gap / pi if own else -gap / (1 - pi)
        largest_loss = max(f / pi, (1 - f) / (1 - pi)) + max(m, 0.0)
        for i, delta in enumerate(bets.deltas):
            stake = min(delta * pi * (1 - pi) / (f * (1 - f)), bets.cap / largest_loss)
            coins[i] *= 1 + stake * (outcome - m)
    return math.log(coins.sum())


@given(tallies, tallies, centres, margins)
def test_the_order_of_versions_and_the_splitting_of_a_version_change_nothing(a, b, f, m):
    half = Tally(a.pi, a.candidate, np.zeros_like(a.baseline), a.candidate_unrated, 0)
    rest = Tally(a.pi, np.zeros_like(a.candidate), a.baseline, 0, a.baseline_unrated)

    assert log_e([b, rest, half], f=f, m=m) == pytest.approx(log_e([a, b], f=f, m=m), abs=1e-9)


@given(tallies, centres, margins, margins)
def test_evidence_falls_as_the_margin_rises(tally, f, a, b):
    low, high = sorted((a, b))

    assert log_e([tally], f=f, m=high) <= log_e([tally], f=f, m=low) + 1e-9


@given(tallies, centres, margins)
def test_swapping_the_variants_is_the_mirrored_test(tally, f, m):
    swapped = Tally(
        1.0 - tally.pi,
        tally.baseline,
        tally.candidate,
        tally.baseline_unrated,
        tally.candidate_unrated,
    )

    assert log_e([swapped], f=f, m=m) == pytest.approx(
        log_e([tally], f=f, m=m, mirrored=True), abs=1e-6
    )


@given(tallies, centres, margins, st.booleans())
def test_no_unit_loses_more_than_the_cap(tally, f, m, mirrored):
    units = tally.candidate_units + tally.baseline_units

    assert log_e([tally], f=f, m=m, mirrored=mirrored) >= units * math.log(0.5) - 1e-9


def test_a_margin_counts_towards_the_cap():
    rare = binary(0.5, 0, 0, 0, 1)
    worst = binary(0.5, 0, 1, 0, 0)

    assert log_e([worst], f=0.99, m=0.8) == pytest.approx(math.log(0.5))
    assert log_e([rare], f=0.99, m=0.8) > math.log(0.5)


def test_no_units_are_no_evidence():
    assert log_e([], f=0.6) == pytest.approx(0.0, abs=1e-12)
    assert log_e([tally_of(0.3, [], [])], f=0.6) == pytest.approx(0.0, abs=1e-12)


def test_unrated_units_say_nothing_about_superiority():
    rated = binary(0.3, 30, 10, 60, 40)
    silent = binary(0.3, 30, 10, 60, 40, candidate_unrated=500, baseline_unrated=900)

    assert log_e([silent], f=0.6) == pytest.approx(log_e([rated], f=0.6), abs=1e-12)
    assert log_e([silent], f=0.6, m=0.01) < log_e([rated], f=0.6, m=0.01)


@pytest.mark.parametrize("blank", [0.0, 1.0, None])
def test_a_history_that_tells_nothing_bets_on_the_largest_variance(blank):
    tally = binary(0.5, 3, 1, 2, 2)
    stake = 0.02 * 0.25 / 0.25

    middle = 0.5 if blank is None else blank
    up, down = 2 * (1 - middle), -2 * middle
    expected = 3 * math.log1p(stake * up) + math.log1p(stake * down)
    expected += 2 * math.log1p(-stake * up) + 2 * math.log1p(-stake * down)

    one_bet = Bets((0.02,), (1.0,), 0.5)
    assert log_e([tally], f=blank, bets=one_bet) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("pi", "units"), [(0.2, 1500), (0.5, 600)])
def test_error_free_pairs_pass_the_error_guardrail_after_the_published_number(pi, units):
    own = round(pi * units)

    assert error_free_log_e([binary(pi, own, 0, units - own, 0)]) == pytest.approx(
        math.log(20), abs=0.03
    )


def test_many_errors_never_pass_the_error_guardrail():
    assert error_free_log_e([binary(0.5, 270, 30, 299, 1)]) < 0.0


def test_harm_is_seen_where_the_candidate_is_much_worse_and_not_where_it_is_equal():
    worse, equal = binary(1 / 17, 40, 60, 960, 640), binary(1 / 17, 60, 40, 960, 640)

    assert harm_log_e([worse], f=0.6) > math.log(20)
    assert harm_log_e([equal], f=0.6) < 0.0
    assert harm_log_e([worse], f=0.6) == log_e([worse], f=0.6, m=0.01, bets=HARM, mirrored=True)


@pytest.mark.parametrize("alpha", [0.05, 0.003125])
def test_the_bounds_are_where_the_two_tests_start_to_refuse(alpha):
    pair = [binary(0.3, 450, 150, 900, 500), binary(0.5, 220, 80, 190, 110)]

    low, high = lower_bound(pair, f=0.6, alpha=alpha), upper_bound(pair, f=0.6, alpha=alpha)

    assert low < 0.09 < high
    assert log_e(pair, f=0.6, m=low) == pytest.approx(math.log(1 / alpha), abs=1e-6)
    assert log_e(pair, f=0.6, m=-high, mirrored=True) == pytest.approx(
        math.log(1 / alpha), abs=1e-6
    )


def test_bounds_without_units_exclude_nothing():
    assert lower_bound([], f=0.6, alpha=0.05) == -1.0
    assert upper_bound([], f=0.6, alpha=0.05) == 1.0


def test_a_bound_never_leaves_the_range_of_a_lift():
    lucky = tally_of(0.02, [1.0] * 400, [])

    assert lower_bound([lucky], f=0.0, alpha=0.05) == 1.0


def test_bets_follow_the_smallest_effect_worth_finding():
    assert bets_for(0.02) == PROMOTION
    assert bets_for(0.01).deltas == (0.01, 0.02, 0.04, 0.08)


@pytest.mark.parametrize(
    ("deltas", "weights", "cap"),
    [
        ((), (), 0.5),
        ((0.02,), (0.5, 0.5), 0.5),
        ((0.0, 0.1), (0.5, 0.5), 0.5),
        ((0.1, 0.2), (1.0, 0.0), 0.5),
        ((0.1, 0.2), (0.5, 0.6), 0.5),
        ((0.1,), (1.0,), 1.0),
    ],
)
def test_bets_that_could_break_the_promise_are_refused(deltas, weights, cap):
    with pytest.raises(ConfigError, match="bets"):
        Bets(deltas, weights, cap)


def test_figures_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="mean f"):
        log_e([], f=math.nan)
    with pytest.raises(ConfigError, match="margin"):
        log_e([], f=0.5, m=1.5)
    with pytest.raises(ConfigError, match="alpha"):
        lower_bound([], f=0.5, alpha=0.0)


@settings(max_examples=50, deadline=None)
@given(st.lists(tallies, max_size=3), centres, st.floats(1e-6, 0.8))
def test_the_lower_bound_is_where_the_evidence_crosses_its_bar(tallies, f, alpha):
    def bar(m):
        return log_e(tallies, f=f, m=m) + math.log(alpha)

    low = lower_bound(tallies, f=f, alpha=alpha)

    assert low == pytest.approx(crossing(bar, -1.0, 1.0), abs=1e-9)


def test_a_late_test_bets_on_smaller_effects_as_well():
    bets = bets_for(0.02, late=True)

    assert bets.deltas == (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
    assert bets.weights == pytest.approx((0.25, 0.25, 0.2, 0.15, 0.1, 0.05))


def test_only_a_late_test_ever_proves_a_third_of_the_smallest_effect():
    third = [binary(0.5, 242_800, 157_200, 240_000, 160_000)]

    usual, late = (log_e(third, f=0.6, bets=bets_for(0.02, late=late)) for late in (False, True))

    assert usual < 0.0
    assert late > 15.0
