"""Evaluators run beside an experiment: each new answer gets its score, once."""

import contextlib

import pytest

from engine.books.feedback import FeedbackBook
from engine.books.store import Store
from engine.evaluate.audit import Audit, label_row
from engine.stats.calibrated import scale_of
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


FAIR = POLITE | {"fair": {"type": "calibrated", "by": "polite", "audited": 0.3}}
AUDIT = Audit("fair@1", "polite@2", 0.3)


def by_metric(stage, name):
    return dict(scores(stage).filter(metric=name).select("trace_id", "score").iter_rows())


def test_a_calibrated_metric_scores_at_once_what_nobody_is_asked_about(tmp_path):
    stage = Stage(tmp_path, experiment_of(metrics=FAIR))
    stage.serve(1)

    looked(stage)

    judged, asked = by_metric(stage, "polite@2"), by_metric(stage, "fair@1:asked")
    scored = by_metric(stage, "fair@1")
    assert set(asked) == {trace for trace in judged if AUDIT.draws(trace)}
    assert set(scored) == set(judged) - set(asked)
    assert set(asked.values()) == {1.0}
    assert list(scored.values()) == pytest.approx([scale_of(0.3).stored(1.0)] * len(scored))
    stage.close()


def test_a_drawn_answer_is_scored_once_its_label_is_there(tmp_path):
    stage = Stage(tmp_path, experiment_of(metrics=FAIR))
    stage.serve(1)
    looked(stage)
    first, *others = by_metric(stage, "fair@1:asked")
    with contextlib.closing(FeedbackBook(tmp_path / "feedback.db")) as book:
        book.record([label_row(AUDIT, first, 0.0, at=stage.now)])
    looked(stage)

    found = looked(stage, looks=2)

    scored = by_metric(stage, "fair@1")
    assert found == [1, 0]
    assert scored[first] == pytest.approx(scale_of(0.3).stored(1.0 - 1.0 / 0.3))
    assert not set(others) & set(scored)
    stage.close()


def test_without_its_evaluator_s_score_a_calibrated_metric_says_nothing(tmp_path):
    own = {"polite": {"type": "python", "function": "no_such_module:f"}}
    stage = Stage(tmp_path, experiment_of(metrics=FAIR | own))
    stage.serve(1)

    assert looked(stage) == [0]
    stage.close()
