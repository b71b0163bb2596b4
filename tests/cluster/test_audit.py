"""Laws of `trimtab audit`: drawn answers wait for a label, blind and oldest first."""

import contextlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.main import app
from engine.books.feedback import FeedbackBook
from engine.books.store import Store
from engine.evaluate.audit import Audit
from engine.evaluate.run import row_of
from search.scoring import Scoring
from tests.search.stage import Stage, experiment_of

METRICS = {
    "polite": {"type": "rule", "contains": "it is"},
    "fair": {"type": "calibrated", "by": "polite", "audited": 0.3},
}
AUDIT = Audit("fair@1", "polite@1", 0.3)
LONG_S = 1e9
"""A maturation that the world's clock does not pass: the stage's own stands still long ago."""


def staged(root: Path, *, metrics=METRICS, maturation_s=LONG_S) -> Stage:
    return Stage(root, experiment_of(metrics=metrics, maturation_s=maturation_s))


def made(root: Path, **changes) -> Path:
    with contextlib.closing(staged(root, **changes)) as stage:
        stage.serve(0.3)
        scored(stage)
    return root


def scored(stage: Stage) -> None:
    with contextlib.closing(Scoring(stage.root, lambda: stage.now)) as scoring:
        scoring.look()
    stage.now += 1.0
    stage.serve(0.1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return made(tmp_path)


def called(root: Path, *arguments: str):
    return CliRunner().invoke(app, ["audit", *arguments, "-w", str(root)], env={"COLUMNS": "200"})


def listed(root: Path):
    result = called(root, "docs-qa", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def asked(root: Path) -> set[str]:
    feedback = Store(root).read("feedback")
    return set(feedback.filter(metric="fair@1:asked")["trace_id"])


def test_every_drawn_answer_is_listed_once_oldest_first_and_blind(root):
    waiting = listed(root)["waiting"]

    assert {one["trace_id"] for one in waiting} == asked(root)
    assert [one["at"] for one in waiting] == sorted(one["at"] for one in waiting)
    assert all(set(one) == {"trace_id", "at", "question", "answer"} for one in waiting)
    assert "variant" not in called(root, "docs-qa").output


def test_a_person_reads_the_question_and_the_answer(root):
    first = listed(root)["waiting"][0]

    said = called(root, "docs-qa", "--most", "1").stdout

    assert f"question: {first['question']}\n  answer:   {first['answer']}" in said
    assert "the first 1 are shown" in said


def test_a_label_is_recorded_once_and_the_same_again_changes_nothing(root):
    trace = listed(root)["waiting"][0]["trace_id"]

    first = called(root, "docs-qa", trace, "0.75")
    again = called(root, "docs-qa", trace, "0.75")

    assert first.stdout == f"{trace} is labelled 0.75\n"
    assert again.stdout == f"{trace} is labelled 0.75, as before\n"


def test_another_label_for_the_same_answer_is_a_conflict(root):
    trace = listed(root)["waiting"][0]["trace_id"]
    called(root, "docs-qa", trace, "1")

    result = called(root, "docs-qa", trace, "0")

    assert result.exit_code == 1
    assert f"error: {trace} has another label already, which stands" in result.stderr


def test_a_labelled_answer_waits_no_more_and_scores(tmp_path):
    with contextlib.closing(staged(tmp_path)) as stage:
        stage.serve(0.3)
        scored(stage)
        trace = listed(tmp_path)["waiting"][0]["trace_id"]

        called(tmp_path, "docs-qa", trace, "1", "--json")

        stage.serve(0.1)
        scored(stage)
        left = {one["trace_id"] for one in listed(tmp_path)["waiting"]}
        feedback = Store(tmp_path).read("feedback")
        assert trace not in left
        assert trace in set(feedback.filter(metric="fair@1")["trace_id"])


def test_an_answer_that_was_not_drawn_is_refused(root):
    traces = Store(root).read("trace")["trace_id"]
    other = next(one for one in traces if not AUDIT.draws(one))

    result = called(root, "docs-qa", other, "1")

    assert result.exit_code == 2
    assert "was not drawn for a label" in result.stderr


@pytest.mark.parametrize("score", [(), ("1.5",), ("nan",)])
def test_a_label_needs_a_score_from_0_to_1(root, score):
    result = called(root, "docs-qa", listed(root)["waiting"][0]["trace_id"], *score)

    assert result.exit_code == 2
    assert "write a number from 0 to 1" in result.stderr


@pytest.mark.parametrize("arguments", [("docs-q",), ("docs-qa", "nobody", "1")])
def test_what_is_unknown_is_not_found(root, arguments):
    assert called(root, *arguments).exit_code == 4


def test_an_experiment_without_a_calibrated_metric_asks_nobody(tmp_path):
    made(tmp_path, metrics={})

    result = called(tmp_path, "docs-qa")

    assert result.exit_code == 2
    assert "type: calibrated" in result.stderr


def test_of_several_calibrated_metrics_one_is_named(tmp_path):
    made(tmp_path, metrics=METRICS | {"kind": {"type": "calibrated", "by": "polite"}})

    assert "--metric is needed; calibrated: `fair`, `kind`" in called(tmp_path, "docs-qa").stderr
    assert called(tmp_path, "docs-qa", "--metric", "fair").exit_code == 0
    assert "did you mean `fair`?" in called(tmp_path, "docs-qa", "--metric", "fare").stderr


def test_labels_that_would_come_too_late_are_only_counted(tmp_path):
    made(tmp_path, maturation_s=4.0)

    known = listed(tmp_path)

    assert known == {"waiting": [], "too_late": len(asked(tmp_path))}
    assert "got none in time" in called(tmp_path, "docs-qa").stdout


def test_answers_that_nobody_can_read_say_what_to_do(tmp_path):
    with contextlib.closing(staged(tmp_path)) as stage:
        rows = stage._served("t1", "u1", "1.0", stage.baseline, "", 1)
        for column in ("question", "answer"):
            del rows[1][1][column]
        stage._spool.write(rows)
        stage._feedback.record([row_of("t1", AUDIT.asked, 1.0, at=stage.now)])
        stage._compactor.step(stage.now)

    result = called(tmp_path, "docs-qa")

    assert result.exit_code == 2
    assert "of the answers that wait for a label (1) none can be read" in result.stderr
    assert "record_text: true" in result.stderr


def test_feedback_of_labels_is_kept_under_the_metric_s_own_name(root):
    trace = listed(root)["waiting"][0]["trace_id"]
    called(root, "docs-qa", trace, "1")

    with contextlib.closing(FeedbackBook(root / "feedback.db")) as book:
        row = {"key": f"fair@1:label:{trace}", "at": 1.0, "trace_id": trace,
               "metric": "fair@1:label", "score": 1.0}  # fmt: skip
        assert book.record_one(row) == "duplicate"
