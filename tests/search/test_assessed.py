from engine.experiment.entries import RampStepped
from engine.experiment.verdict import Verdict
from search.assessed import PATIENCE, assess_step
from search.books import FactsFollower
from tests.search.stage import Stage, experiment_of


def nominated(stage: Stage) -> None:
    stage.quality = {stage.baseline: 0.2}
    stage.serve(2)
    list(stage.life("a").reports())


def step(stage: Stage):
    facts = FactsFollower(stage.root)
    ramp = stage.workflow.ramp
    return assess_step(
        stage.workflow, stage.experiment, ramp, facts.follow(), upto=facts.upto, now=stage.now
    )


def test_a_step_is_weighed_on_its_own_traffic(stage):
    nominated(stage)
    at_once = step(stage)

    stage.serve(8)
    later = step(stage)

    assert (at_once.action, at_once.cause) == ("continue", "too_early")
    assert at_once.figures["candidate_units"] == 0
    assert later.figures["candidate_units"] > 0


def test_a_step_that_harms_is_rolled_back_whatever_was_known_before(stage):
    nominated(stage)
    ramp = stage.workflow.ramp
    stage.quality = {ramp.candidate: 0.0, ramp.baseline: 1.0}
    stage.serve(20)

    found = step(stage)

    assert (found.action, found.cause) == ("rollback", "harm")


def test_patience_at_a_large_share_is_counted_on_the_rarer_baseline(tmp_path):
    """At nine tenths a candidate has nine units for each of the baseline's."""
    stage = Stage(tmp_path, experiment_of(ramp={"steps": [0.25, 0.9], "min_units": 40}))
    nominated(stage)
    ramp = stage.workflow.ramp
    fine = Verdict(action="promote", cause="evidence", reason="quick enough")
    stage.append(RampStepped(window=ramp.id, share=900_000, verdict=fine))
    stage.serve(8)

    found = step(stage)

    assert found.figures["candidate_units"] > PATIENCE * 40
    assert (found.action, found.cause) == ("continue", "undecided")
    stage.close()
