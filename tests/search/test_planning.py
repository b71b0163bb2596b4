"""Laws of a plan: twice the traffic takes half the time, and a small effect is never promised."""

from math import log

import pytest

from engine.errors import ConfigError
from search import planning
from search.planning import DAY_S, alpha_of, planned
from tests.search.replay.tables import experiment

A_DAY = 50_000 / DAY_S


def plan(given=None, *, units_per_s=A_DAY, rate=0.6, effect=0.08):
    return planned(given or experiment(), units_per_s=units_per_s, rate=rate, effect=effect)


@pytest.fixture(scope="module")
def told():
    return plan()


def test_the_first_trial_takes_a_sixteenth_of_the_budget_and_each_a_little_less():
    assert alpha_of(1, 0.05, 100) == pytest.approx(0.05 / 16)
    assert -log(alpha_of(1, 0.05, 100)) == pytest.approx(log(320))
    assert -log(alpha_of(16, 0.05, 100)) == pytest.approx(6.95, abs=0.005)


def test_twice_the_traffic_takes_half_the_time(told):
    double = plan(units_per_s=2 * A_DAY)

    assert double.first.median.units == told.first.median.units
    assert double.first.median.days == pytest.approx(told.first.median.days / 2)
    assert double.window.days == pytest.approx(told.window.days / 2)


def test_a_span_is_its_units_at_the_declared_share(told):
    assert told.window.units == 20_000
    assert told.window.days == pytest.approx(20_000 / (50_000 * told.share))


def test_a_window_lasts_a_whole_cycle_and_until_it_has_matured():
    slow = experiment().model_copy(update={"min_cycle_s": 7 * DAY_S, "maturation_s": DAY_S})

    assert plan(slow).first.median.days == pytest.approx(8.0)


def test_later_trials_need_more(told):
    assert told.last.trial == told.max_trials == 100
    assert told.last.nats > told.first.nats
    assert told.last.median.units > told.first.median.units
    assert told.last.within_window <= told.first.within_window


def test_the_bounds_are_in_order(told):
    assert told.first.information.units < told.first.median.units < told.first.p90.units
    assert told.first.fixed.units < told.first.p90.units


def test_the_chance_of_a_proof_only_grows(told):
    chances = told.chances

    assert len(chances.days) == len(chances.evidence) == len(chances.fixed) == planning.POINTS
    assert list(chances.evidence) == sorted(chances.evidence)
    assert list(chances.fixed) == sorted(chances.fixed)
    assert chances.evidence[-1] > 0.95
    assert list(chances.days) == sorted(chances.days)


def test_without_an_effect_it_is_the_smallest_worth_finding():
    assert plan(effect=None).effect == experiment().objective.mde


def test_an_effect_far_below_the_smallest_worth_finding_is_not_promised():
    tiny = plan(effect=0.002)

    assert tiny.first.median is None
    assert tiny.first.p90 is None


def test_candidates_are_counted_in_whole_windows():
    windows = experiment().windows.model_copy(update={"max_units": 4_999, "concurrent": 3})
    limited = experiment().model_copy(update={"windows": windows, "max_duration_s": 2.5 * DAY_S})

    found = plan(limited)

    assert found.window.days == pytest.approx(1.0, rel=1e-3)
    assert found.per_week == 3 * 7
    assert found.within_duration == 3 * 2
    assert plan(experiment()).within_duration is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"units_per_s": 0.0}, "traffic is 0 units a second; write one above 0"),
        ({"rate": 1.0}, "mean score is 1; it lies between 0 and 1"),
        ({"effect": 0.5}, "effect is 0.5; above a mean score of 0.6 it lies between 0 and 0.4"),
        ({"effect": -0.1}, "effect is -0.1"),
    ],
)
def test_figures_out_of_range_are_refused(wrong, said):
    with pytest.raises(ConfigError, match=said):
        plan(**wrong)
