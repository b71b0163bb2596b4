"""Laws of allocation: all of the exploration is shared, nobody starves, the promising get more."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from engine.stats.allocation import (
    MIN_SHARE,
    Posterior,
    bandit_shares,
    chance_of_best,
    exploration_of,
    posterior,
    thompson_shares,
    top_two_shares,
)

few = settings(max_examples=40, deadline=None)
beliefs = st.lists(
    st.builds(Posterior, mean=st.floats(-0.2, 0.2), sd=st.floats(0.001, 0.1)),
    min_size=1,
    max_size=8,
)
PLANS = pytest.mark.parametrize("share_out", [thompson_shares, top_two_shares])


def rng():
    return np.random.default_rng(5)


def test_the_posterior_weighs_prior_and_estimate_by_their_precision():
    found = posterior(0.05, 0.03)

    assert found.mean == pytest.approx(0.02)
    assert found.sd == pytest.approx(0.03 / sqrt(2))


def test_without_an_estimate_the_belief_is_the_prior():
    assert posterior(None, None) == Posterior(-0.01, 0.03)
    assert posterior(0.1, None, prior_mean=0.0, prior_sd=0.1) == Posterior(0.0, 0.1)


def test_an_exact_estimate_leaves_no_doubt():
    found = posterior(0.05, 0.0)

    assert found == Posterior(0.05, 0.0)
    assert (found.chance_above(0.04), found.chance_above(0.05)) == (1.0, 0.0)


def test_the_chance_of_a_lift_is_the_normal_tail():
    assert Posterior(0.02, 0.01).chance_above(0.02) == pytest.approx(0.5)
    assert Posterior(0.0196, 0.01).chance_above(0.0) == pytest.approx(0.975, abs=1e-4)


@PLANS
@few
@given(beliefs, st.floats(0.05, 0.5))
def test_the_exploration_is_shared_out_whole_and_nobody_starves(share_out, posteriors, exploration):
    shares = share_out(posteriors, exploration=exploration, rng=rng())

    least = min(max(0.02 * exploration, MIN_SHARE), exploration / len(shares))
    assert sum(shares) == pytest.approx(exploration)
    assert min(shares) >= least - 1e-12


@PLANS
def test_the_same_seed_gives_the_same_shares(share_out):
    posteriors = [Posterior(0.01, 0.02), Posterior(0.0, 0.03)]

    first, again = (share_out(posteriors, exploration=0.2, rng=rng()) for _ in range(2))

    assert first == again


def test_thompson_shares_follow_the_chance_of_the_largest_draw():
    # P(X > Y) for two normals a distance d apart: Phi(d / sqrt(2)) in units of their deviation,
    # of which a draw keeps a half.
    posteriors = [Posterior(0.03, 0.03), Posterior(0.0, 0.03)]

    first, second = thompson_shares(
        posteriors, exploration=1.0, floor=0.0, draws=200_000, rng=rng()
    )

    assert first == pytest.approx(0.9214 * (1 - 2 * MIN_SHARE) + MIN_SHARE, abs=0.005)
    assert first + second == pytest.approx(1.0)


def test_a_candidate_that_leads_surely_gets_all_but_the_floors():
    posteriors = [Posterior(0.5, 0.01), Posterior(0.0, 0.01), Posterior(0.1, 0.01)]

    shares = thompson_shares(posteriors, exploration=0.5, rng=rng())

    assert shares == pytest.approx((0.48, 0.01, 0.01))


def test_top_two_keeps_half_for_those_that_may_still_beat_the_leader():
    posteriors = [Posterior(0.5, 0.01), Posterior(0.0, 0.01), Posterior(0.1, 0.01)]

    shares = top_two_shares(posteriors, exploration=0.5, rng=rng())

    assert shares == pytest.approx((0.245, 0.01, 0.245), abs=1e-3)


def test_top_two_of_two_equals_an_even_split():
    posteriors = [Posterior(0.03, 0.03), Posterior(0.0, 0.03)]

    shares = top_two_shares(posteriors, exploration=0.4, rng=rng())

    assert shares == pytest.approx((0.2, 0.2))


def test_one_candidate_gets_all_of_it():
    for share_out in (thompson_shares, top_two_shares):
        assert share_out([Posterior(0.0, 0.03)], exploration=0.2, rng=rng()) == (0.2,)


@pytest.mark.parametrize(
    ("leader", "units", "expected"),
    [
        (Posterior(0.03, 0.02), 400, 0.5),
        (Posterior(0.03, 0.02), 399, 0.2),
        (Posterior(0.0256, 0.02), 4_000, 0.2),
        (Posterior(-0.03, 0.001), 4_000, 0.2),
    ],
)
def test_exploration_is_boosted_once_a_well_known_leader_looks_good(leader, units, expected):
    others = [Posterior(-0.05, 0.001), leader]

    assert exploration_of(others, [9_999, units], usual=0.2, cap=0.5) == expected


def test_without_candidates_nothing_is_boosted():
    assert exploration_of([], [], usual=0.2, cap=0.5) == 0.2


@few
@given(beliefs)
def test_the_chances_of_being_the_best_add_up_to_one(posteriors):
    assert sum(chance_of_best(posteriors)) == pytest.approx(1.0)


def test_equals_are_equally_likely_the_best():
    assert chance_of_best([Posterior(0.0, 0.03)] * 4) == pytest.approx((0.25,) * 4)


def test_of_two_the_chance_is_that_of_their_difference():
    first, second = Posterior(0.03, 0.01), Posterior(0.01, 0.02)

    expected = float(ndtr((0.03 - 0.01) / np.hypot(0.01, 0.02)))
    assert chance_of_best([first, second])[0] == pytest.approx(expected, abs=1e-4)


def test_one_that_is_known_exactly_is_compared_all_the_same():
    found = chance_of_best([Posterior(0.0, 0.0), Posterior(0.0, 0.02)])

    assert found == pytest.approx((0.5, 0.5), abs=0.01)


def test_a_bandit_leaves_to_the_baseline_what_no_candidate_is_the_best_for():
    worse, better = Posterior(-0.05, 0.005), Posterior(0.05, 0.005)

    assert sum(bandit_shares([worse, worse], exploration=0.8, rng=rng())) == pytest.approx(0.032)
    shares = bandit_shares([worse, better], exploration=0.8, rng=rng())
    assert shares == (pytest.approx(0.016), pytest.approx(0.784))


@few
@given(beliefs, st.floats(0.1, 0.9))
def test_a_bandit_never_starves_a_candidate_nor_passes_its_cap(posteriors, exploration):
    shares = bandit_shares(posteriors, exploration=exploration, rng=rng())

    assert min(shares) >= min(0.02, MIN_SHARE / exploration, 1.0 / len(shares)) * exploration - 1e-9
    assert sum(shares) <= exploration + 1e-9
