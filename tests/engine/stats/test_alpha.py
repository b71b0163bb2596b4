import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.stats.alpha import Spent, next_alpha, remaining, returned


def levels(trials, promotions=0):
    spent = []
    for _ in range(trials):
        level = next_alpha(spent, alpha=0.05, promotions=promotions)
        spent.append(Spent(level, promotions))
    return spent


@pytest.mark.parametrize(
    ("trial", "nats"), [(1, math.log(320)), (16, 6.95), (32, 7.85), (150, 11.05)]
)
def test_a_trial_needs_the_published_evidence(trial, nats):
    assert math.log(1 / levels(trial)[-1].alpha) == pytest.approx(nats, abs=0.005)


@given(
    st.lists(st.tuples(st.floats(0.25, 4.0), st.booleans()), max_size=60),
    st.floats(0.001, 0.25),
    st.floats(0.001, 0.5),
)
def test_the_budget_is_never_exceeded_whatever_is_hoped_and_promoted(history, omega, alpha):
    spent = []
    promotions = 0
    for prior, promoted in history:
        level = next_alpha(spent, alpha=alpha, omega=omega, prior=prior, promotions=promotions)
        spent.append(Spent(level, promotions))
        promotions += promoted
        if remaining(spent, alpha=alpha) == 0.0:
            break

    total = sum(one.alpha / (one.promotions_before + 1) for one in spent)

    assert total <= alpha * (1 + 1e-12)
    assert remaining(spent, alpha=alpha) == pytest.approx(alpha - total, abs=1e-15)


def test_a_fresh_experiment_has_the_whole_budget():
    assert remaining([], alpha=0.05) == 0.05


def test_a_promotion_earns_a_higher_level():
    before = levels(3)

    assert next_alpha(before, alpha=0.05, promotions=1) == pytest.approx(
        2 * next_alpha(before, alpha=0.05)
    )
    assert remaining([Spent(0.02, 1)], alpha=0.05) == pytest.approx(0.04)


def test_hope_is_paid_for_from_the_same_budget():
    assert next_alpha([], alpha=0.05, prior=4.0) == pytest.approx(0.05 / 4)


def test_a_spent_budget_opens_no_trial():
    with pytest.raises(ConfigError, match="spent after 1 trials"):
        next_alpha([Spent(0.06, 0)], alpha=0.05)


@pytest.mark.parametrize(
    "figures",
    [
        {"alpha": 0.0},
        {"alpha": 0.05, "prior": 5.0},
        {"alpha": 0.05, "omega": 0.5, "prior": 3.0},
        {"alpha": 0.05, "omega": 0.0},
        {"alpha": 0.05, "promotions": -1},
    ],
)
def test_figures_that_could_overspend_are_refused(figures):
    with pytest.raises(ConfigError):
        next_alpha([], **figures)


@pytest.mark.parametrize(("horizon", "nats"), [(8, 5.08), (16, 5.77), (32, 6.46)])
def test_few_trials_share_the_budget_evenly(horizon, nats):
    spent = []
    for _ in range(horizon):
        level = next_alpha(spent, alpha=0.05, horizon=horizon)
        assert math.log(1.0 / level) == pytest.approx(nats, abs=0.005)
        spent.append(Spent(level, 0))

    assert remaining(spent, alpha=0.05) == pytest.approx(0.0, abs=1e-12)


def test_many_trials_take_their_part_of_what_remains():
    assert next_alpha([], alpha=0.05, horizon=33) == next_alpha([], alpha=0.05)


def test_after_a_thousand_trials_something_is_left_to_prove_the_next():
    assert math.log(1 / levels(1_000)[-1].alpha) < 17.0


def test_an_even_budget_used_up_early_is_taken_part_by_part():
    spent = [Spent(0.049, 0)]

    assert next_alpha(spent, alpha=0.05, horizon=8) == pytest.approx(0.001 / 16.5)


@given(st.lists(st.floats(0.25, 4.0), max_size=60), st.integers(1, 40))
def test_no_horizon_and_no_hope_overspends(priors, horizon):
    spent = []
    for prior in priors:
        if remaining(spent, alpha=0.05) == 0.0:
            break
        spent.append(Spent(next_alpha(spent, alpha=0.05, prior=prior, horizon=horizon), 0))

    assert sum(one.alpha for one in spent) <= 0.05 * (1.0 + 1e-9)


@given(st.lists(st.tuples(st.floats(-9.0, 9.0), st.booleans()), max_size=80))
def test_what_returns_is_never_more_than_what_was_put_down(history):
    spent = []
    for log_e, is_over in history:
        level = next_alpha(spent, alpha=0.05)
        back = returned(level, log_e) if is_over else 0.0
        assert 0.0 <= back <= level
        spent.append(Spent(level, 0, back))

    assert 0.0 < remaining(spent, alpha=0.05) <= 0.05 * (1.0 + 1e-12)
    assert sum(one.alpha - one.returned for one in spent) <= 0.05 * (1.0 + 1e-12)


def test_what_a_trial_did_not_lose_makes_the_next_level_higher():
    level = next_alpha([], alpha=0.05)
    lost, kept = Spent(level, 0), Spent(level, 0, returned(level, math.log(0.8)))

    assert returned(level, math.log(0.8)) == pytest.approx(0.8 * level)
    assert returned(level, 3.0) == level
    assert remaining([kept], alpha=0.05) == pytest.approx(0.05 - 0.2 * level)
    assert next_alpha([kept], alpha=0.05) > next_alpha([lost], alpha=0.05)


def test_stakes_that_return_prove_too_much_no_more_often_than_alpha():
    # Fair coins at stakes of .3; a trial ends at half of its stake, and forty more follow it.
    rng = np.random.default_rng(7)
    proved = 0
    for _ in range(400):
        spent = []
        for _ in range(40):
            level = next_alpha(spent, alpha=0.2)
            wealth = np.cumsum(np.log1p(0.3 * rng.choice([-1.0, 1.0], size=200)))
            ends = (wealth <= math.log(0.5)) | (wealth >= math.log(1.0 / level))
            end = float(wealth[int(ends.argmax())] if ends.any() else wealth[-1])
            spent.append(Spent(level, 0, returned(level, end)))
            if end >= math.log(1.0 / level):
                proved += 1
                break

    assert proved / 400 <= 0.2 + 2.0 * math.sqrt(0.2 * 0.8 / 400)
