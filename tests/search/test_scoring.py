"""Evaluators run beside an experiment: each new answer gets its score, once."""

import contextlib

from engine.books.store import Store
from search.scoring import Scoring
from tests.search.stage import Stage, experiment_of

POLITE = {"polite": {"type": "rule", "version": 2, "contains": "it is"}}


def scores(stage):
    feedback = Store(stage.root).read("feedback")
    return feedback.filter(feedback["metric"] != "quality")


def looked(stage, *, looks=1):
    with contextlib.closing(Scoring(stage.root, lambda: stage.now)) as scoring:
        found = [scoring.look() for _ in range(looks)]
    stage.now += 1.0
    stage._compactor.step(stage.now)
    return found


def test_every_new_answer_is_scored_once(tmp_path):
    stage = Stage(tmp_path, experiment_of(metrics=POLITE))
    stage.serve(1)

    found = looked(stage, looks=3)

    stored = scores(stage)
    assert found[0] > 0
    assert found[-1] == 0
    assert stored.height == sum(found) == stored["trace_id"].n_unique()
    assert set(stored["metric"]) == {"polite@2"}
    assert set(stored["score"]) == {1.0}
    stage.close()


def test_a_second_process_scores_nothing_twice(tmp_path):
    stage = Stage(tmp_path, experiment_of(metrics=POLITE))
    stage.serve(1)
    first = looked(stage)

    again = looked(stage)

    assert first[0] > 0
    assert again == [0]
    stage.close()


def test_an_evaluator_that_cannot_be_prepared_holds_up_no_other(tmp_path, caplog):
    broken = {"own": {"type": "python", "function": "no_such_module:f"}}
    stage = Stage(tmp_path, experiment_of(metrics=POLITE | broken))
    stage.serve(1)

    assert looked(stage)[0] > 0
    assert "can't be evaluated" in caplog.text
    stage.close()


def test_without_evaluators_nothing_is_scored(tmp_path):
    stage = Stage(tmp_path)
    stage.serve(1)

    assert looked(stage) == [0]
    stage.close()
