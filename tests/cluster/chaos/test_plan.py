from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.chaos.plan import ACTIONS, CI, QUIET_S, SETTLES_S, named, schedule
from cluster.commands.chaos import CI_S
from engine.errors import ConfigError

FAULTS = sorted({action.fault for action in ACTIONS})
faults = st.sets(st.sampled_from(FAULTS), min_size=1)
LONG_S = 1_200.0


@given(st.integers(0, 2**31), faults)
def test_the_same_seed_makes_the_same_schedule(seed, chosen):
    assert schedule(seed, LONG_S, chosen) == schedule(seed, LONG_S, chosen)


@given(st.integers(0, 2**31), faults)
def test_every_action_of_a_fault_comes_at_least_once_and_no_other_does(seed, chosen):
    planned = {one.action for one in schedule(seed, LONG_S, chosen)}

    assert planned == {action.name for action in ACTIONS if action.fault in chosen}


@given(st.integers(0, 2**31), faults)
def test_faults_come_one_by_one_with_time_to_recover_between(seed, chosen):
    planned = schedule(seed, LONG_S, chosen)

    assert planned[0].at_s >= QUIET_S
    for before, after in pairwise(planned):
        assert after.at_s >= before.at_s + named(before.action).takes_s + SETTLES_S
    assert planned[-1].at_s + named(planned[-1].action).takes_s <= LONG_S


@given(st.integers(0, 2**31))
def test_the_subset_for_tests_fits_its_time(seed):
    planned = schedule(seed, CI_S, CI)

    assert {named(one.action).fault for one in planned} == set(CI)


def test_too_little_time_is_refused_with_what_is_needed():
    with pytest.raises(ConfigError, match="and there are 10 s"):
        schedule(0, 10.0, CI)


def test_a_fault_without_an_action_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="99 has no action; known are 1, 2, 3"):
        schedule(0, LONG_S, [1, 99])


def test_an_unknown_action_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"kills\.slot"):
        named("kills.moon")
