"""Laws of regression adjustment: what is expected of a unit costs or saves time, never validity."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.stats.betting import Centre, estimate, log_e, lower_bound, merged, upper_bound
from engine.stats.pseudo import pseudo_of
from tests.engine.stats.examples import at_most, binary

EASY, HARD = 0.9, 0.2
"""What is expected of two kinds of units, of which there are equally many."""
ADJUSTED = Centre(mean=0.55, low=HARD, high=EASY, variance=(0.09 + 0.16) / 2.0)
PI = 0.3

expectations = st.floats(0.05, 0.95)
counts = st.integers(0, 40)


def kinds(easy, hard, f=(EASY, HARD)):
    """Tallies of an easy and a hard kind: (c1, c0, b1, b0) of each."""
    return [binary(PI, *easy, f=f[0]), binary(PI, *hard, f=f[1])]


def drawn(rng, units, lift):
    """A pair whose two kinds of units are rated as expected, the candidate better by `lift`."""
    found = []
    for rate in (EASY, HARD):
        own = rng.binomial(units // 2, PI)
        c1, b1 = rng.binomial(own, rate + lift), rng.binomial(units // 2 - own, rate)
        found.append((c1, own - c1, b1, units // 2 - own - b1))
    return found


def plain(easy, hard):
    """The same units without telling their kinds apart."""
    return [binary(PI, *(a + b for a, b in zip(easy, hard, strict=True)))]


@pytest.mark.parametrize("rates", [(0.9, 0.2), (0.5, 0.5), (0.2, 0.9)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_expected_wealth_of_equal_variants_is_exactly_one_whatever_is_expected(rates, mirrored):
    """Every outcome of two easy and two hard units, with its chance."""
    total = 0.0
    cells = list(product(range(2), range(2)))
    for units in product(cells, repeat=4):
        chance = 1.0
        tallies = [[0, 0, 0, 0], [0, 0, 0, 0]]
        for number, (is_candidate, is_good) in enumerate(units):
            kind = number // 2
            chance *= PI if is_candidate else 1.0 - PI
            chance *= rates[kind] if is_good else 1.0 - rates[kind]
            tallies[kind][2 * (1 - is_candidate) + (1 - is_good)] += 1
        total += chance * math.exp(log_e(kinds(*tallies), f=ADJUSTED, mirrored=mirrored))

    assert total == pytest.approx(1.0, abs=1e-12)


@given(counts, counts, counts, counts, expectations)
def test_one_expectation_for_all_units_is_the_plain_test(c1, c0, b1, b0, f):
    centre = Centre(mean=f, low=f, high=f, variance=f * (1.0 - f))
    tally = binary(PI, c1, c0, b1, b0)

    assert log_e([tally], f=centre) == pytest.approx(log_e([tally], f=f), abs=1e-12)


@given(expectations, expectations, st.booleans())
def test_no_unit_loses_more_than_the_floor_says(f, other, mirrored):
    low, high = sorted((f, other))
    centre = Centre(mean=low, low=low, high=high, variance=0.2)

    pseudo = pseudo_of(kinds((1, 1, 1, 1), (1, 1, 1, 1), f=(low, high)), centre, mirrored=mirrored)

    assert pseudo.values.min() >= pseudo.floor.min() - 1e-12
    assert pseudo.values.min() == pytest.approx(pseudo.floor.min()) or low != high


def test_units_of_every_kind_face_the_same_stake():
    """Else the test would be of a lift that weighs kinds by what is known of them."""
    one = log_e([binary(PI, 1, 0, 0, 0, f=EASY)], f=ADJUSTED)
    two = log_e([binary(PI, 0, 0, 0, 1, f=EASY)], f=ADJUSTED)
    least = 0.02 * PI * (1.0 - PI) / ADJUSTED.variance
    stakes = [(min(k * least, 0.5 / (EASY / PI)), weight) for k, weight in BETS]

    small = math.log(sum(weight * (1 + stake * 0.1 / PI) for stake, weight in stakes))
    large = math.log(sum(weight * (1 + stake * 0.9 / (1 - PI)) for stake, weight in stakes))
    assert (one, two) == (pytest.approx(small), pytest.approx(large))


BETS = ((1, 0.4), (2, 0.3), (4, 0.2), (8, 0.1))


def test_equal_variants_are_promoted_no_more_often_than_declared():
    rng = np.random.default_rng(5)
    wrong = 0
    for _ in range(400):
        tallies, highest = None, 0.0
        for _ in range(20):
            more = kinds(*drawn(rng, 400, 0.0))
            tallies = (
                more if tallies is None else [merged(*p) for p in zip(tallies, more, strict=True)]
            )
            highest = max(highest, log_e(tallies, f=ADJUSTED))
        wrong += highest >= math.log(20.0)

    assert at_most(wrong, 0.05, 400)


def test_knowing_the_kind_of_a_unit_narrows_the_error_as_its_variance_says():
    told = drawn(np.random.default_rng(6), 40_000, 0.02)

    blind = estimate(plain(*told), f=0.55)
    seeing = estimate(kinds(*told), f=ADJUSTED)

    assert seeing.se / blind.se == pytest.approx(math.sqrt(0.125 / (0.55 * 0.45)), rel=0.03)
    assert abs(seeing.lift - 0.02) < 3.0 * seeing.se


def test_knowing_the_kind_of_a_unit_saves_traffic():
    rng = np.random.default_rng(7)
    told = [drawn(rng, 8_000, 0.03) for _ in range(40)]

    blind = np.mean([log_e(plain(*one), f=0.55) for one in told])
    seeing = np.mean([log_e(kinds(*one), f=ADJUSTED) for one in told])

    assert seeing > 1.5 * blind > 0.0


def test_the_bounds_hold_the_lift_and_are_closer():
    told = drawn(np.random.default_rng(8), 20_000, 0.03)

    blind = lower_bound(plain(*told), f=0.55, alpha=0.05)
    seeing = lower_bound(kinds(*told), f=ADJUSTED, alpha=0.05)

    assert blind < seeing < 0.03 < upper_bound(kinds(*told), f=ADJUSTED, alpha=0.05)


def test_an_unrated_unit_stands_at_what_was_expected_of_its_kind():
    rated = kinds((10, 10, 10, 10), (10, 10, 10, 10))
    more = [
        binary(PI, 10, 10, 10, 10, f=EASY, candidate_unrated=5),
        binary(PI, 10, 10, 10, 10, f=HARD, baseline_unrated=5),
    ]

    assert log_e(more, f=ADJUSTED) == log_e(rated, f=ADJUSTED)
    assert estimate(more, f=ADJUSTED).candidate_mean == pytest.approx((20 + 5 * EASY) / 45)
    assert estimate(more, f=ADJUSTED).baseline_mean == pytest.approx((20 + 5 * HARD) / 45)


@pytest.mark.parametrize(
    ("low", "mean", "high", "variance"),
    [
        (-0.1, 0.5, 0.6, 0.2),
        (0.6, 0.5, 0.7, 0.2),
        (0.4, 0.8, 0.7, 0.2),
        (0.1, 0.5, 1.1, 0.2),
        (0.4, 0.5, 0.6, 0.0),
    ],
)
def test_a_centre_that_cannot_be_is_refused(low, mean, high, variance):
    with pytest.raises(ConfigError, match="centre"):
        Centre(mean=mean, low=low, high=high, variance=variance)


def test_an_expectation_outside_the_declared_ones_is_refused():
    with pytest.raises(ConfigError, match=r"f is 0.95; it lies between 0.2 and 0.9"):
        log_e([binary(PI, 1, 1, 1, 1, f=0.95)], f=ADJUSTED)


def test_tallies_of_different_expectations_are_kept_apart():
    with pytest.raises(ConfigError, match="keep them apart"):
        merged(*kinds((1, 1, 1, 1), (1, 1, 1, 1)))
