"""Laws of the verdicts on a ramp's step and on a holdback."""

import pytest

from engine.experiment.decide import (
    ERROR_LOG_E,
    GUARDRAIL_LOG_E,
    HARM_LOG_E,
    SRM_LOG_E,
    decide_step,
    figures_of,
)
from engine.experiment.holdback import decide_holdback
from engine.experiment.rules import REGRESSION_LOG_E
from tests.engine.experiment.samples import EMPTY, RULES, UNMEASURED, figures, sample, thumbs


def stepped(whole=None, step=None):
    verdict = decide_step(figures(**(whole or {})), figures(**(step or {})), 150, 1_500)
    return verdict.action, verdict.cause


def test_a_step_that_held_is_taken():
    assert stepped() == ("promote", "evidence")
    assert stepped(step={"candidate_units": 150}) == ("promote", "evidence")


@pytest.mark.parametrize(
    ("flaw", "cause"),
    [
        ({"srm_log_e": SRM_LOG_E}, "srm"),
        ({"harm_log_e": HARM_LOG_E}, "harm"),
        ({"error_log_e": ERROR_LOG_E}, "errors"),
    ],
)
def test_a_ramp_is_rolled_back_without_waiting_for_units(flaw, cause):
    assert stepped(whole=flaw, step={"candidate_units": 0}) == ("rollback", cause)


def test_harm_at_this_share_alone_rolls_back():
    assert stepped(step={"harm_log_e": HARM_LOG_E}) == ("rollback", "harm")
    assert stepped(step={"error_log_e": ERROR_LOG_E}) == ("rollback", "errors")


def test_a_step_waits_for_its_own_units():
    young = {"candidate_units": 149}

    assert stepped(whole={"candidate_units": 9_000}, step=young) == ("continue", "too_early")
    assert stepped(step={"candidate_units": None}) == ("continue", "too_early")


def test_latency_is_proved_anew_at_every_step():
    unproved = {"latency_log_e": GUARDRAIL_LOG_E - 1e-9}

    assert stepped(whole={"latency_log_e": 50.0}, step=unproved) == ("continue", "undecided")
    assert stepped(step={"latency_log_e": None}) == ("continue", "undecided")
    assert stepped(step={"latency_log_e": GUARDRAIL_LOG_E}) == ("promote", "evidence")


def test_a_step_whose_latency_is_never_proved_rolls_back():
    unproved = {"latency_log_e": 0.0}

    assert stepped(step=unproved | {"candidate_units": 1_499}) == ("continue", "undecided")
    assert stepped(step=unproved | {"candidate_units": 1_500}) == ("rollback", "latency")
    assert stepped(step=UNMEASURED | {"candidate_units": 1_500}) == ("rollback", "latency")


def test_a_step_shows_the_figures_that_it_stands_on():
    step = figures(candidate_units=151)

    verdict = decide_step(figures(), step, 150, 1_500)

    assert verdict.figures == step
    assert "151 units" in verdict.reason


def test_a_ramp_before_its_first_unit_goes_on():
    nothing = figures_of(EMPTY, RULES)

    assert decide_step(nothing, nothing, 150, 1_500).action == "continue"


def test_a_promotion_stands_until_it_is_proved_worse():
    verdict = decide_holdback(figures())

    assert (verdict.action, verdict.cause) == ("continue", "undecided")
    assert decide_holdback(figures_of(EMPTY, RULES)).action == "continue"


@pytest.mark.parametrize(
    ("flaw", "cause"),
    [
        ({"mistake_log_e": HARM_LOG_E}, "harm"),
        ({"error_log_e": ERROR_LOG_E}, "errors"),
        ({"regression_log_e": REGRESSION_LOG_E}, "regression"),
        ({"error_regression_log_e": REGRESSION_LOG_E}, "regression"),
    ],
)
def test_a_promotion_that_is_proved_worse_is_rolled_back(flaw, cause):
    just_below = {name: value - 1e-9 for name, value in flaw.items()}

    verdict = decide_holdback(figures(**flaw))

    assert (verdict.action, verdict.cause) == ("rollback", cause)
    assert decide_holdback(figures(**just_below)).action == "continue"


def test_an_unmeasured_holdback_rolls_nothing_back():
    unmeasured = figures(mistake_log_e=None, error_log_e=None, regression_log_e=None)

    assert decide_holdback(unmeasured).action == "continue"


def test_users_who_rate_the_promoted_variant_worse_bring_the_former_one_back():
    worse = figures_of(sample(thumbs(4_000, 5_000), thumbs(700, 300), pi=0.9), RULES)

    assert decide_holdback(worse).cause == "harm"
