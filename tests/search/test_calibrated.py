"""A calibrated objective goes the whole way: asked, labelled, proved, and verified again."""

import contextlib

import pytest

from engine.books.feedback import FeedbackBook
from engine.books.store import Store
from engine.evaluate.audit import Audit, label_row
from engine.experiment.entries import Nominated, WindowClosed, decision_of
from search.scoring import Scoring
from search.verify import verify
from tests.search.stage import Stage, experiment_of

METRICS = {
    "easy": {"type": "rule", "contains": "it is"},
    "fair": {"type": "calibrated", "by": "easy", "audited": 0.5},
}
AUDIT = Audit("fair@1", "easy@1", 0.5)


class Labelled(Stage):
    """Users' ratings are what people label; the evaluator likes every answer."""

    def serve(self, seconds: float, per_s: float = 150.0) -> None:
        for _ in range(max(round(seconds), 1)):
            super().serve(1.0, per_s)
            with contextlib.closing(Scoring(self.root, lambda: self.now)) as scoring:
                scoring.look()
                self._compactor.step(self.now)
                self._label()
                scoring.look()
            self._compactor.step(self.now)

    def _label(self) -> None:
        feedback = Store(self.root).read("feedback")
        asked = feedback.filter(metric=AUDIT.asked)["trace_id"].to_list()
        truth = feedback.filter(metric="quality").select("trace_id", "score")
        said = dict(truth.iter_rows())
        with contextlib.closing(FeedbackBook(self.root / "feedback.db")) as book:
            book.record([label_row(AUDIT, one, said[one], at=self.now) for one in asked])
        self._compactor.step(self.now)


@pytest.fixture
def stage(tmp_path):
    objective = {"metric": "fair", "mde": 0.1}
    made = Labelled(tmp_path, experiment_of(metrics=METRICS, objective=objective))
    yield made
    made.close()


def ended(stage, quality):
    life = stage.life("a", **{"rag.top_k": 9})
    reports = life.reports()
    next(reports)
    window = next(iter(stage.workflow.windows.values()))
    stage.quality = {window.baseline: 0.5, window.candidate: quality}
    for _ in zip(range(40), reports, strict=False):
        pass
    found = [decision_of(entry) for entry in stage.decisions.ledger.read()]
    return [one for one in found if isinstance(one, Nominated | WindowClosed)]


def test_a_better_candidate_is_proved_by_labels_alone_on_the_label_s_scale(stage):
    (decision,) = ended(stage, 0.95)

    figures = decision.verdict.figures
    assert decision.verdict.action == "promote"
    assert figures["lift"] == pytest.approx(0.45, abs=0.2)
    assert figures["baseline_mean"] == pytest.approx(0.5, abs=0.15)
    assert verify(stage.root).mismatches == ()
