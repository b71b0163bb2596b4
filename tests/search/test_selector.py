"""Laws of the ramp and the holdback: what a verdict leads to."""

import pytest

from engine.experiment.entries import (
    HoldbackClosed,
    HoldbackNarrowed,
    Promoted,
    RampStepped,
    RolledBack,
    WindowClosed,
)
from engine.experiment.verdict import Verdict
from engine.experiment.window import Window
from search.selector import holdback_decision, holdback_end, next_share, ramp_decision
from tests.search.stage import experiment_of

EXPERIMENT = experiment_of()


def verdict(action, cause="evidence"):
    return Verdict(action=action, cause=cause, reason="because the test says so")


def ramp(share):
    return Window(
        id="r9-t",
        kind="ramp",
        experiment="docs-qa",
        workflow="docs",
        candidate="candidate",
        baseline="baseline",
        share=share,
        lane=900_000,
        alpha=0.003,
        opened_seq=9,
        opened_at=0.0,
        stepped_seq=9,
    )


def holdback():
    return ramp(100_000).model_copy(
        update={"id": "holdback-12", "kind": "holdback", "candidate": "old", "baseline": "new"}
    )


@pytest.mark.parametrize(("share", "following"), [(250_000, 500_000), (500_000, 900_000)])
def test_a_proved_step_widens_to_the_next_share(stage, share, following):
    decision = ramp_decision(stage.workflow, EXPERIMENT, ramp(share), verdict("promote"))

    assert isinstance(decision, RampStepped)
    assert decision.share == following
    assert decision.verdict.reason


def test_the_proved_last_step_promotes_and_leaves_the_rest_as_holdback(stage):
    decision = ramp_decision(stage.workflow, EXPERIMENT, ramp(900_000), verdict("promote"))

    assert isinstance(decision, Promoted)
    assert (decision.before, decision.after) == ("baseline", "candidate")
    assert decision.holdback == 100_000
    assert next_share(ramp(900_000), EXPERIMENT) is None


def test_a_step_that_is_not_decided_changes_nothing(stage):
    undecided = verdict("continue", "undecided")

    assert ramp_decision(stage.workflow, EXPERIMENT, ramp(250_000), undecided) is None


@pytest.mark.parametrize("cause", ["harm", "errors", "srm", "latency"])
def test_an_unsafe_or_slow_step_ends_the_ramp_and_the_baseline_serves(stage, cause):
    decision = ramp_decision(stage.workflow, EXPERIMENT, ramp(500_000), verdict("rollback", cause))

    assert isinstance(decision, WindowClosed)
    assert decision.window == "r9-t"


def test_a_promotion_that_proves_worse_is_rolled_back_to_the_former_baseline(stage):
    decision = holdback_decision(stage.workflow, holdback(), verdict("rollback", "harm"))

    assert isinstance(decision, RolledBack)
    assert (decision.before, decision.after) == ("new", "old")


def test_a_promotion_that_stands_is_left_alone(stage):
    standing = verdict("continue", "undecided")

    assert holdback_decision(stage.workflow, holdback(), standing) is None


def stood(units=0):
    figures = {"candidate_units": units, "baseline_units": units // 9}
    return verdict("continue", "undecided").model_copy(update={"figures": figures})


@pytest.mark.parametrize(("lasted_s", "units"), [(604_800.0, 0), (1.0, 90_000)])
def test_a_promotion_that_stood_for_long_enough_needs_fewer_watchers(lasted_s, units):
    decision = holdback_end(EXPERIMENT, holdback(), stood(units), now=lasted_s)

    assert isinstance(decision, HoldbackNarrowed)
    assert (decision.window, decision.share) == ("holdback-12", 20_000)
    assert "stood for" in decision.reason


def test_a_young_holdback_stays_as_it_is():
    assert holdback_end(EXPERIMENT, holdback(), stood(89_000), now=604_799.0) is None


def test_a_holdback_that_is_narrow_already_stays_as_it_is():
    narrow = holdback().model_copy(update={"share": 20_000})

    assert holdback_end(EXPERIMENT, narrow, stood(), now=1e9) is None


def test_a_holdback_is_closed_where_nothing_is_to_be_left():
    closing = experiment_of(holdback_after=0.0, holdback_units=100)

    decision = holdback_end(closing, holdback(), stood(100), now=1.0)

    assert isinstance(decision, HoldbackClosed)
    assert decision.verdict == stood(100)
