"""Laws of declared guardrails: each is proved before a promotion, and silence proves nothing."""

from math import log

import pytest

from engine.experiment.decide import GUARDRAIL_LOG_E, HARM_LOG_E, MISSING_LOG_E, SRM_LOG_E, decide
from engine.experiment.rules import MetricRule, SegmentRule
from tests.engine.experiment.samples import RULES, figures, rules

SEGMENTS = SegmentRule(names=("fact", "sum"), margin=0.05, min_units=50, too_few="hold")
POOLING = SEGMENTS.model_copy(update={"too_few": "pool"})
GROUNDED = MetricRule(name="grounded", margin=0.02)
DECLARED = [
    ({"latency_p95": 1.2}, "latency_p95_log_e", "latency"),
    ({"timeout_margin": 0.02}, "no_timeout_log_e", "timeouts"),
    ({"cost_ratio": 1.2}, "cost_log_e", "cost"),
    ({"metrics": (GROUNDED,)}, "metrics.grounded.log_e", "metric"),
]


def judged(changed_figures, **changed_rules):
    verdict = decide(figures(**changed_figures), rules(**changed_rules))
    return verdict.action, verdict.cause


@pytest.mark.parametrize(("declared", "name", "cause"), DECLARED)
@pytest.mark.parametrize("shown", [None, 0.0, GUARDRAIL_LOG_E - 1e-9])
def test_a_declared_guardrail_holds_until_it_is_proved(declared, name, cause, shown):
    assert judged({name: shown}, **declared) == ("hold", cause)
    assert judged({name: GUARDRAIL_LOG_E}, **declared) == ("promote", "evidence")


@pytest.mark.parametrize(("declared", "name", "cause"), DECLARED)
def test_a_guardrail_that_nobody_measured_at_all_holds(declared, name, cause):
    assert judged({}, **declared) == ("hold", cause)


@pytest.mark.parametrize(("declared", "name", "cause"), DECLARED)
def test_what_is_not_declared_blocks_nothing(declared, name, cause):
    assert judged({name: -9.0}) == ("promote", "evidence")


def test_an_observed_guardrail_does_not_block_before_its_units():
    observing = GROUNDED.model_copy(update={"observe_units": 501})

    assert judged({}, metrics=(observing,)) == ("promote", "evidence")
    assert judged({"candidate_units": 501}, metrics=(observing,)) == ("hold", "metric")


def test_an_observed_guardrail_does_not_block_before_its_day():
    observing = GROUNDED.model_copy(update={"blocks": False})

    assert judged({}, metrics=(observing,)) == ("promote", "evidence")


def test_a_latency_margin_that_is_used_up_holds_and_says_so():
    verdict = decide(figures(), rules(latency_ratio=1.0))

    assert (verdict.action, verdict.cause) == ("hold", "latency")
    assert "used up the latency margin: 1.000 is left" in verdict.reason
    assert judged({"latency_p95_log_e": 9.0}, latency_p95=1.0) == ("hold", "latency")


def proved(*names, **others):
    return {f"segments.{name}.log_e": GUARDRAIL_LOG_E for name in names} | others


def test_a_win_on_average_promotes_nothing_while_one_segment_is_unproved():
    assert judged(proved("fact", "sum"), segments=SEGMENTS) == ("promote", "evidence")
    assert judged(proved("fact"), segments=SEGMENTS) == ("hold", "segment")
    just_less = {"segments.sum.log_e": GUARDRAIL_LOG_E - 1e-9}
    assert judged(proved("fact", **just_less), segments=SEGMENTS) == ("hold", "segment")


def test_pooled_segments_stand_together_for_those_with_too_few_units():
    assert judged(proved("fact"), segments=POOLING) == ("hold", "segment")
    assert judged(proved("fact", "pooled"), segments=POOLING) == ("promote", "evidence")
    assert judged(proved("fact", "sum"), segments=POOLING) == ("promote", "evidence")
    unproved = {"segments.sum.log_e": 0.0}
    assert judged(proved("fact", "pooled", **unproved), segments=POOLING) == ("hold", "segment")


def test_harm_to_one_segment_stops_at_a_line_that_grows_with_their_number():
    line = HARM_LOG_E + log(2)
    harm = "segments.sum.harm_log_e"

    assert judged(proved("fact", "sum", **{harm: line}), segments=SEGMENTS) == ("stop", "segment")
    below = proved("fact", "sum", **{harm: line - 1e-9})
    assert judged(below, segments=SEGMENTS) == ("promote", "evidence")


def test_harm_to_a_segment_never_waits_for_a_sample_size():
    young = {"candidate_units": 1, "segments.sum.harm_log_e": 9.0}

    assert judged(young, segments=SEGMENTS) == ("stop", "segment")


def test_a_mismatch_among_the_units_that_left_a_trace_stops():
    assert judged({"completed_log_e": SRM_LOG_E}) == ("stop", "srm")
    assert judged({"completed_log_e": SRM_LOG_E - 1e-9}) == ("promote", "evidence")


@pytest.mark.parametrize("fired", [{"missing_log_e": MISSING_LOG_E}, {"scored_log_e": SRM_LOG_E}])
def test_an_imbalance_of_scores_holds_unless_even_the_worst_case_is_better(fired):
    bar = log(1 / RULES.alpha)

    assert judged(fired) == ("hold", "missingness")
    assert judged(fired | {"worst_case_log_e": bar - 1e-9}) == ("hold", "missingness")
    assert judged(fired | {"worst_case_log_e": bar}) == ("promote", "evidence")


def test_rated_units_alone_promote_nothing_under_an_imbalance():
    fired = {"missing_log_e": MISSING_LOG_E, "worst_case_log_e": 99.0}

    assert judged(fired, missing="complete-case") == ("hold", "missingness")


def test_a_calibrated_objective_is_better_even_if_every_missing_label_spoke_against_it():
    bar = log(1 / RULES.alpha)

    assert judged({"unlabelled_log_e": bar - 1e-9}) == ("hold", "labels")
    assert judged({"unlabelled_log_e": bar}) == ("promote", "evidence")


def test_a_shown_bound_is_no_condition_of_a_promotion():
    verdict = decide(figures(lift_low=None), RULES)

    assert (verdict.action, verdict.cause) == ("promote", "evidence")
    assert "at least" not in verdict.reason
