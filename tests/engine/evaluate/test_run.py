"""Evaluations are rows of feedback: once for each answer, and never a guess."""

import pytest

from engine.errors import UnmeasuredError
from engine.evaluate.run import evaluated

TRACES = [{"trace_id": "t1", "answer": "yes"}, {"trace_id": "t2", "answer": "no"}]


def test_an_evaluation_is_feedback_under_a_key_of_its_own():
    rows = evaluated(TRACES, "tone@1", lambda trace: float(trace["answer"] == "yes"), at=5.0)

    assert rows[0] == {
        "key": "tone@1:t1",
        "at": 5.0,
        "trace_id": "t1",
        "metric": "tone@1",
        "score": 1.0,
    }
    assert [row["score"] for row in rows] == [1.0, 0.0]


@pytest.mark.parametrize("failure", [UnmeasuredError("no"), ZeroDivisionError(), RuntimeError()])
def test_an_evaluation_that_fails_leaves_its_answer_without_a_score(failure):
    def score(trace):
        if trace["trace_id"] == "t1":
            raise failure
        return 0.5

    assert [row["trace_id"] for row in evaluated(TRACES, "tone@1", score, at=5.0)] == ["t2"]


def test_a_metric_that_says_nothing_gives_no_row():
    assert evaluated(TRACES, "tone@1", lambda _: None, at=5.0) == []
