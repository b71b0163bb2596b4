"""Laws of planned looks: what crossed stays crossed, and between looks nothing is promoted."""

import pytest

from engine.experiment.decide import decide
from engine.experiment.looks import counts_of, look_figures
from engine.stats.group_sequential import spending_bounds
from tests.engine.experiment.samples import figures, rules

PLANNED = rules(policy="group-sequential", looks=4, alpha=0.05)
BOUNDS = spending_bounds((0.25, 0.5, 0.75, 1.0), alpha=0.05)


def looked(*zs):
    return look_figures(zs, looks=4, alpha=0.05)


def judged(*zs, **changes):
    verdict = decide(figures(log_e=-3.0, **looked(*zs), **changes), PLANNED)
    return verdict.action, verdict.cause


def test_looks_are_due_evenly_up_to_the_last_unit():
    assert counts_of(4, 1_000) == (250, 500, 750, 1_000)
    assert counts_of(3, 1_000) == (334, 667, 1_000)
    assert counts_of(1, 7) == (7,)


def test_a_look_that_reaches_its_bound_promotes_whatever_the_running_evidence():
    assert judged(BOUNDS[0] - 0.01) == ("continue", "undecided")
    assert judged(BOUNDS[0] + 0.01) == ("promote", "evidence")
    assert judged(1.0, BOUNDS[1] + 0.01) == ("promote", "evidence")


def test_running_evidence_promotes_nothing_between_looks():
    verdict = decide(figures(log_e=50.0, **looked(0.0)), PLANNED)

    assert verdict.action == "continue"


def test_what_crossed_stays_crossed_while_a_guardrail_is_not_proved():
    assert judged(BOUNDS[0] + 0.01, latency_log_e=0.0) == ("hold", "latency")
    assert judged(BOUNDS[0] + 0.01, 0.0) == ("promote", "evidence")


def test_after_the_last_look_the_window_is_over():
    assert judged(0.0, 0.0, 0.0, 1.0, candidate_units=2_000) == ("stop", "budget")


def test_running_evidence_prolongs_no_planned_window():
    promising = figures(log_e=2.0, candidate_units=2_000, **looked(0.0, 0.0, 0.0, 1.0))

    assert decide(promising, PLANNED).cause == "budget"


def test_a_look_that_measured_nothing_crosses_nothing():
    assert looked()["look_margin"] is None
    assert looked(None)["look_margin"] is None
    assert judged(None) == ("continue", "undecided")
    assert judged(None, BOUNDS[1] + 0.01) == ("promote", "evidence")


def test_the_newest_look_is_on_record_with_its_bound():
    found = looked(0.5, 1.5)

    assert (found["looks"], found["look_z"]) == (2, 1.5)
    assert found["look_bound"] == pytest.approx(BOUNDS[1])
    assert found["look_margin"] == pytest.approx(1.5 - BOUNDS[1])
