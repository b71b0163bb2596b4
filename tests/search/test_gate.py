import pickle

import pytest

from engine.experiment.entries import ExperimentEnded, Promoted, WindowClosed
from engine.experiment.verdict import Verdict
from search.gate import Gate, passage
from tests.search.stage import Stage


def now(stage: Stage) -> str:
    return passage(stage.decisions.state(), "docs-qa", 0.0)


@pytest.fixture
def ramped(stage: Stage) -> Stage:
    stage.quality = {stage.baseline: 0.2}
    list(stage.life("a").reports())
    return stage


def test_a_going_experiment_may_propose(stage):
    assert now(stage) == "open"


def test_nothing_is_proposed_while_a_candidate_is_ramped(ramped):
    assert now(ramped) == "waiting"


def test_a_ramp_that_is_rolled_back_lets_the_search_go_on(ramped):
    worse = Verdict(action="rollback", cause="latency", reason="too slow under load")
    ramped.append(WindowClosed(window=ramped.workflow.ramp.id, verdict=worse))

    assert now(ramped) == "open"


def test_enough_promotions_end_the_search(ramped):
    ramp = ramped.workflow.ramp
    ramped.append(
        Promoted(
            workflow="docs",
            window=ramp.id,
            before=ramp.baseline,
            after=ramp.candidate,
            holdback=100_000,
            experiment="docs-qa",
            reason="better",
        )
    )

    assert now(ramped) == "over"


def test_an_ended_experiment_is_over(stage):
    stage.append(ExperimentEnded(experiment="docs-qa", reason="enough"))

    assert now(stage) == "over"


def test_a_gate_that_was_pickled_asks_the_same_ledger(stage):
    gate = Gate(stage.root, "docs-qa")
    gate()

    copy = pickle.loads(pickle.dumps(gate))

    assert copy() == "open"
