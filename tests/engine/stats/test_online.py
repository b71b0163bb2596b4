"""Laws of an endless stream of trials: the published levels, and few false promotions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.stats.online import gamma_of, lond_level, online_e_bh

PUBLISHED = {
    1: (0, 0.0026758385),
    2: (1, 0.0011638206),
    3: (1, 0.0009912499),
    4: (1, 0.0008243606),
    5: (1, 0.0006988870),
    6: (1, 0.0006045900),
    7: (1, 0.0005319444),
    8: (2, 0.0007117838),
    9: (2, 0.0006421423),
    10: (3, 0.0007796504),
    15: (3, 0.0005377472),
}
"""onlineFDR's article: level by trial, after promotions of the trials 1, 7 and 9."""
evidence = st.lists(st.floats(-5.0, 20.0), max_size=12)


@pytest.mark.parametrize(("trial", "published"), PUBLISHED.items())
def test_the_published_levels_of_lond_hold(trial, published):
    promotions, level = published

    assert lond_level(trial, promotions, alpha=0.05) == pytest.approx(level, abs=5e-11)


def test_the_parts_sum_to_at_most_one():
    assert sum(gamma_of(trial) for trial in range(1, 200_000)) <= 1.0


@given(evidence)
def test_online_e_bh_holds_what_each_of_its_trials_needs(log_es):
    chosen = online_e_bh(log_es, alpha=0.05)

    for j in chosen:
        assert log_es[j] >= -math.log(len(chosen) * 0.05 * gamma_of(j + 1)) - 1e-9


@given(evidence, st.data())
def test_more_evidence_never_takes_a_promotion_back(log_es, data):
    more = [one + data.draw(st.floats(0.0, 5.0)) for one in log_es]

    assert {*online_e_bh(log_es, alpha=0.05)} <= {*online_e_bh(more, alpha=0.05)}


@given(evidence, st.floats(-5.0, 20.0))
def test_a_later_trial_never_takes_a_promotion_back(log_es, newest):
    assert {*online_e_bh(log_es, alpha=0.05)} <= {*online_e_bh([*log_es, newest], alpha=0.05)}


@given(evidence)
def test_what_each_trial_proves_on_its_own_is_promoted(log_es):
    alone = {j for j, e in enumerate(log_es) if e >= -math.log(lond_level(j + 1, 0, alpha=0.05))}

    assert alone <= {*online_e_bh(log_es, alpha=0.05)}


def test_trials_that_none_proves_alone_may_be_proved_together():
    gammas = [0.25] * 4
    log_es = [math.log(1 / (4 * 0.05 * 0.25)) + 1e-9] * 4

    assert online_e_bh(log_es, alpha=0.05, gammas=gammas) == (0, 1, 2, 3)
    assert online_e_bh([*log_es[:3], 0.0], alpha=0.05, gammas=gammas) == ()


def test_no_trial_is_no_promotion():
    assert online_e_bh([], alpha=0.05) == ()


def test_the_share_of_false_promotions_stays_below_alpha():
    """Half of 40 trials are null; each is a likelihood ratio of 60 units of one shift."""
    rng = np.random.default_rng(3)
    lifts = np.tile([0.0, 1.0], 20)
    false = []
    for _ in range(400):
        sums = rng.normal(lifts * 60.0, math.sqrt(60.0))
        chosen = online_e_bh(list(sums * 0.5 - 60.0 * 0.125), alpha=0.05, gammas=[1 / 40] * 40)
        false.append(sum(lifts[j] == 0.0 for j in chosen) / max(len(chosen), 1))

    assert np.mean(false) <= 0.05
    assert len(chosen) >= 15


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (lambda: gamma_of(0), "counted from 1"),
        (lambda: lond_level(1, -1, alpha=0.05), "can't be negative"),
        (lambda: lond_level(1, 0, alpha=0.0), "between 0 and 1"),
        (lambda: online_e_bh([1.0], alpha=0.05, gammas=[0.5, 0.5]), "2 parts of alpha for 1"),
        (lambda: online_e_bh([1.0, 1.0], alpha=0.05, gammas=[0.6, 0.6]), "sum to 1.2"),
        (lambda: online_e_bh([1.0], alpha=0.05, gammas=[0.0]), "lie above 0"),
    ],
)
def test_figures_out_of_range_are_refused(asked, why):
    with pytest.raises(ConfigError, match=why):
        asked()
