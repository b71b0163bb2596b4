"""A search begins where the newest traffic hurts, and the ledger says why."""

import time

from engine.experiment.entries import ExperimentEnded, decision_of
from search.direction import Focus, hottest
from search.telling import tell
from search.tuner import _begin

FOCUS = Focus(paths=("rag.top_k",), reason="node retrieve is slow")


def begun(stage, focus):
    stage.append(ExperimentEnded(experiment="docs-qa", reason="enough"))
    _begin(stage.decisions, stage.experiment, "docs", resume=False, focus=focus)
    return stage.decisions.state()


def test_the_ledger_keeps_what_a_search_tries_first(stage):
    assert begun(stage, FOCUS).experiments["docs-qa"].focus == ("rag.top_k",)


def test_a_beginning_is_told_with_its_direction(stage):
    before = stage.decisions.state()
    begun(stage, FOCUS)
    *_, newest = stage.decisions.ledger.read()

    told = tell(before, decision_of(newest))

    assert told.reason == "It tries rag.top_k first, because node retrieve is slow."


def test_a_beginning_without_a_direction_gives_no_reason(stage):
    before = stage.decisions.state()
    assert begun(stage, None).experiments["docs-qa"].focus == ()
    *_, newest = stage.decisions.ledger.read()

    assert tell(before, decision_of(newest)).reason == ""


def test_badly_rated_traffic_of_the_last_hour_directs_the_search(stage):
    stage.now = time.time() - 60.0
    stage.quality = {stage.baseline: 0.2}
    stage.serve(4.0)
    stage.wait(5.0)
    stage.serve(1.0)

    found = hottest(stage.root, "docs", stage.experiment)

    assert found is not None
    assert "badly rated" in found.reason
    assert "llm.temperature" not in found.paths


def test_traffic_without_a_problem_directs_nothing(stage):
    stage.now = time.time() - 60.0
    stage.quality = {stage.baseline: 0.9}
    stage.serve(4.0)

    assert hottest(stage.root, "docs", stage.experiment) is None
