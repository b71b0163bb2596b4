"""Laws of a trial's verdict: integrity, then safety, then evidence, then approval."""

from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.experiment.decide import (
    ERROR_LOG_E,
    GUARDRAIL_LOG_E,
    HALFWAY,
    HARM_LOG_E,
    MISSING_LOG_E,
    SRM_LOG_E,
    Rules,
    chance_of_lift,
    decide,
    figures_of,
)
from tests.engine.experiment.samples import (
    EMPTY,
    PROVED,
    RULES,
    UNMEASURED,
    figures,
    rules,
    sample,
    thumbs,
)

calm = settings(deadline=None)

BROKEN = {"srm_log_e": SRM_LOG_E}
HARMFUL = {"harm_log_e": HARM_LOG_E}
FAILING = {"error_log_e": ERROR_LOG_E}
YOUNG = {"candidate_units": 199}
SPENT = {"candidate_units": 2_000}
HOPELESS = {"log_e": -5.0, "lift": -0.05, "se": 0.01, "lift_low": -0.1}
OPEN = {"log_e": 1.0, "lift": 0.02, "lift_low": -0.03}


def judged(*spoilt, **changed_rules):
    changes = {name: value for part in spoilt for name, value in part.items()}
    verdict = decide(figures(**changes), rules(**changed_rules))
    return verdict.action, verdict.cause


def test_what_is_proved_in_everything_is_promoted():
    verdict = decide(PROVED, RULES)

    assert (verdict.action, verdict.cause) == ("promote", "evidence")
    assert "+0.100 (at least +0.030), log e 9.00 of 4.61" in verdict.reason
    assert verdict.figures == PROVED


def test_a_sample_ratio_mismatch_stops_before_anything_else():
    assert judged(BROKEN, HARMFUL, FAILING, YOUNG, needs_approval=True) == ("stop", "srm")
    assert judged(BROKEN) == ("stop", "srm")


def test_harm_stops_before_errors_and_both_before_evidence():
    assert judged(HARMFUL, FAILING) == ("stop", "harm")
    assert judged(FAILING) == ("stop", "errors")
    assert judged(HARMFUL) == ("stop", "harm")


def test_promotion_waits_for_min_units_but_harm_does_not():
    assert judged(YOUNG) == ("continue", "too_early")
    assert judged(YOUNG, HARMFUL) == ("stop", "harm")
    assert judged(YOUNG, FAILING) == ("stop", "errors")
    assert judged({"candidate_units": 200}) == ("promote", "evidence")


def test_promotion_waits_for_a_whole_cycle():
    assert judged({"elapsed_s": 3_599.0}) == ("continue", "too_early")
    assert judged({"elapsed_s": 3_599.0}, HARMFUL) == ("stop", "harm")
    assert judged({"elapsed_s": 3_600.0}) == ("promote", "evidence")
    assert judged({"elapsed_s": 0.0}, min_cycle_s=0.0) == ("promote", "evidence")


def test_nothing_is_given_up_before_it_had_its_least_units():
    assert judged(YOUNG, HOPELESS) == ("continue", "too_early")


def test_evidence_has_to_reach_the_level_of_this_trial():
    bar = log(1 / RULES.alpha)

    assert judged({"log_e": bar}) == ("promote", "evidence")
    assert judged({"log_e": bar - 1e-9}) == ("continue", "undecided")
    assert judged({"log_e": bar}, alpha=RULES.alpha / 2) == ("continue", "undecided")


def test_a_rating_imbalance_holds():
    assert judged({"missing_log_e": MISSING_LOG_E}) == ("hold", "missingness")
    assert judged({"missing_log_e": MISSING_LOG_E - 1e-9}) == ("promote", "evidence")


@pytest.mark.parametrize(
    ("name", "cause"), [("no_error_log_e", "errors"), ("latency_log_e", "latency")]
)
@pytest.mark.parametrize("shown", [None, 0.0, GUARDRAIL_LOG_E - 1e-9])
def test_an_unmeasured_or_unproved_guardrail_holds(name, cause, shown):
    assert judged({name: shown}) == ("hold", cause)


def test_a_guardrail_proved_exactly_does_not_hold():
    just = {"no_error_log_e": GUARDRAIL_LOG_E, "latency_log_e": GUARDRAIL_LOG_E}

    assert judged(just) == ("promote", "evidence")


def test_high_risk_waits_for_approval():
    assert judged(needs_approval=True) == ("hold", "approval")
    assert judged(SPENT, needs_approval=True) == ("hold", "approval")
    assert judged({"latency_log_e": None}, needs_approval=True) == ("hold", "latency")


def test_a_candidate_without_hope_is_given_up():
    assert judged(HOPELESS) == ("stop", "futility")
    assert judged(HOPELESS, SPENT) == ("stop", "futility")


def test_an_undecided_candidate_ends_with_its_budget():
    assert judged(OPEN) == ("continue", "undecided")
    assert judged(OPEN, {"candidate_units": 1_999}) == ("continue", "undecided")
    assert judged(OPEN, SPENT) == ("stop", "budget")


def test_a_window_with_half_of_its_evidence_goes_on_beyond_its_budget():
    half = HALFWAY * log(1 / RULES.alpha)

    assert judged(OPEN, SPENT, {"log_e": half}) == ("continue", "undecided")
    assert judged(OPEN, SPENT, {"log_e": half - 1e-9}) == ("stop", "budget")
    assert judged(OPEN, SPENT, {"log_e": None}) == ("stop", "budget")
    assert judged(HOPELESS, SPENT, {"log_e": half}) == ("stop", "futility")


@pytest.mark.parametrize(
    "spoilt",
    [{"no_error_log_e": 0.0}, {"latency_log_e": None}, {"missing_log_e": MISSING_LOG_E}],
)
def test_a_window_does_not_hold_beyond_its_budget(spoilt):
    assert judged(spoilt, SPENT) == ("stop", "budget")


def test_evidence_without_a_measured_lift_promotes_nothing():
    assert judged(UNMEASURED) == ("continue", "undecided")


def test_nothing_measured_is_too_early():
    verdict = decide(figures_of(EMPTY, RULES), RULES)

    assert (verdict.action, verdict.cause) == ("continue", "too_early")
    assert {name: verdict.figures[name] for name in UNMEASURED} == UNMEASURED


measured = st.floats(-30, 30) | st.none()
any_figures = st.fixed_dictionaries(
    {
        name: st.integers(0, 3_000)
        if name.endswith("units")
        else st.floats(0, 9_000)
        if name == "elapsed_s"
        else st.none() | st.just(0.0) | st.floats(1e-6, 1.0)
        if name == "se"
        else measured
        for name in PROVED
    }
)


@calm
@given(any_figures, st.booleans())
def test_a_verdict_always_has_its_reason_and_promotes_only_what_is_proved(found, needs_approval):
    verdict = decide(found, rules(needs_approval=needs_approval))

    proved = (
        found["candidate_units"] >= RULES.min_units
        and found["elapsed_s"] >= RULES.min_cycle_s
        and (found["log_e"] or 0.0) >= log(1 / RULES.alpha)
        and (found["no_error_log_e"] or 0.0) >= GUARDRAIL_LOG_E
        and (found["latency_log_e"] or 0.0) >= GUARDRAIL_LOG_E
        and (found["missing_log_e"] or 0.0) < MISSING_LOG_E
        and None not in (found["lift"], found["lift_low"])
    )
    unsafe = (
        (found["srm_log_e"] or 0.0) >= SRM_LOG_E
        or (found["harm_log_e"] or 0.0) >= HARM_LOG_E
        or (found["error_log_e"] or 0.0) >= ERROR_LOG_E
    )
    assert verdict.reason
    assert (verdict.action == "promote") == (proved and not unsafe and not needs_approval)
    assert (verdict.cause in {"srm", "harm", "errors"} and verdict.action == "stop") == unsafe


@calm
@given(any_figures)
def test_the_same_figures_give_the_same_verdict(found):
    assert decide(found, RULES) == decide(dict(reversed(found.items())), RULES)


@calm
@given(st.floats(-0.3, 0.3), st.floats(1e-3, 1.0), st.floats(-0.1, 0.1))
def test_more_measured_lift_never_lowers_the_hope(lift, se, wanted):
    less, more = (chance_of_lift({"lift": x, "se": se}, wanted) for x in (lift, lift + 0.05))

    assert 0.0 <= less <= more <= 1.0


def test_hope_is_a_normal_posterior():
    # One measurement as exact as the prior: mean halfway, variance halved.
    even = chance_of_lift({"lift": 0.03, "se": 0.03}, 0.01)
    above = chance_of_lift({"lift": 0.03, "se": 0.03}, 0.01 - 0.03 / 2**0.5)

    assert even == pytest.approx(0.5)
    assert above == pytest.approx(0.8413447)


@pytest.mark.parametrize("unmeasured", [{"lift": None}, {"se": None}, {"se": 0.0}])
def test_without_a_measured_error_there_is_no_hope_to_speak_of(unmeasured):
    assert chance_of_lift(figures(**unmeasured), 0.01) is None
    assert judged(unmeasured, {"log_e": 0.0}) == ("continue", "undecided")


def test_a_clearly_better_sample_is_promoted():
    verdict = decide(figures_of(sample(thumbs(800, 200), thumbs(500, 500)), RULES), RULES)

    assert (verdict.action, verdict.cause) == ("promote", "evidence")
    assert verdict.figures["lift"] == pytest.approx(0.3, abs=0.01)
    assert verdict.figures["lift_low"] > 0.0
    assert verdict.figures["latency_ratio"] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("spoilt", "verdict"),
    [
        ({}, ("promote", "evidence")),
        ({"exposed": (1_300, 700)}, ("stop", "srm")),
        ({"candidate": thumbs(300, 700)}, ("stop", "harm")),
        ({"failed": (60, 2)}, ("stop", "errors")),
        ({"failed": (60, 60)}, ("hold", "errors")),
        ({"log_s": (0.2, 0.0)}, ("hold", "latency")),
        ({"candidate": thumbs(480, 120, 400)}, ("hold", "missingness")),
        ({"candidate": thumbs(900, 0, 100)}, ("promote", "evidence")),
        ({"baseline": thumbs(799, 201)}, ("continue", "undecided")),
        ({"candidate": thumbs(640, 560), "baseline": thumbs(690, 510)}, ("stop", "futility")),
    ],
)
def test_each_flaw_of_a_sample_finds_its_verdict(spoilt, verdict):
    outcomes = {"candidate": thumbs(800, 200), "baseline": thumbs(500, 500)} | spoilt

    found = decide(figures_of(sample(**outcomes), RULES), RULES)

    assert (found.action, found.cause) == verdict


def test_rules_take_no_unknown_and_no_endless_figure():
    with pytest.raises(ValidationError):
        Rules.model_validate(RULES.model_dump() | {"mood": 1.0})
    with pytest.raises(ValidationError):
        Rules.model_validate(RULES.model_dump() | {"alpha": float("nan")})


def test_a_candidate_that_is_hardly_within_the_latency_margin_is_given_up():
    slow = {"latency_ratio": 1.3, "latency_log_se": 0.02, "latency_log_e": -1.0}
    near = slow | {"latency_ratio": 1.19}

    assert judged(slow) == ("stop", "latency")
    assert judged(near) == ("hold", "latency")


def test_a_candidate_that_is_surely_too_slow_is_stopped_at_once():
    few = {"candidate_units": 1, "latency_ratio_low": 1.21}

    assert judged(few) == ("stop", "latency")


@pytest.mark.parametrize(("more", "verdict"), [(True, "futility"), (False, "undecided")])
def test_the_last_candidates_are_given_up_later(more, verdict):
    """A chance of 0.05: too little where the next candidate waits, worth it where none does."""
    found = decide(figures(log_e=1.0, lift=-0.0035, se=0.009), rules(more=more))

    assert found.cause == verdict
