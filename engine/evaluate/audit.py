"""Who is asked for a label of which answer, and what becomes of an evaluator's scores by it.

A calibrated metric (`engine.stats.calibrated`) holds only if we draw the answers that people label
ourselves. The draw is a keyed hash of the trace's id and the metric's stored name: nothing that
depends on the variant, the time or the text.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from engine.config.metric import Calibrated, Metric, asked_of, label_of, stored_as
from engine.evaluate.run import Row, row_of
from engine.evidence.facts import Facts
from engine.stats.calibrated import calibrated, scale_of

_KEY = b"trimtab audit"


def is_audited(trace_id: str, stored: str, audited: float) -> bool:
    """Whether people are asked for a label of this answer."""
    seen = hashlib.blake2b(f"{stored}\n{trace_id}".encode(), digest_size=6, key=_KEY)
    return int.from_bytes(seen.digest(), "big") < audited * 2**48


@dataclass(frozen=True)
class Audit:
    """One calibrated metric by the names of its rows in the store."""

    stored: str
    """Its own scores, moved to [0, 1]."""
    by: str
    """The evaluator's scores."""
    audited: float

    @property
    def label(self) -> str:
        """People's labels."""
        return label_of(self.stored)

    @property
    def asked(self) -> str:
        """The evaluator's scores of answers that were drawn."""
        return asked_of(self.stored)

    def draws(self, trace_id: str) -> bool:
        """Whether people are asked for a label of this answer."""
        return is_audited(trace_id, self.stored, self.audited)


def audits_of(metrics: Mapping[str, Metric]) -> dict[str, Audit]:
    """An experiment's calibrated metrics, by name."""
    return {
        name: Audit(stored_as(name, one), stored_as(one.by, metrics[one.by]), one.audited)
        for name, one in metrics.items()
        if isinstance(one, Calibrated)
    }


def audited_rows(audit: Audit, facts: Facts, news: Iterable[Row], *, at: float) -> list[Row]:
    """Rows of feedback with what can be said by now of the traces in `facts`.

    `news` holds scores of this moment, which the facts don't know yet. What was not drawn scores
    what the evaluator says at once, in the moment in which what was drawn is asked about; that one
    waits for its label. A first score and a first label stand.
    """
    new = {row["trace_id"]: row["score"] for row in news if row["metric"] == audit.by}
    judged = new | _first(facts, audit.by)
    asked, labels = _first(facts, audit.asked), _first(facts, audit.label)
    done = _first(facts, audit.stored)
    rows: list[Row] = []
    for trace_id, score in judged.items():
        if trace_id in done:
            continue
        if not audit.draws(trace_id):
            rows.append(row_of(trace_id, audit.stored, _stored(score, None, audit), at=at))
            continue
        if trace_id not in asked:
            rows.append(row_of(trace_id, audit.asked, score, at=at))
        if trace_id in labels:
            found = _stored(asked.get(trace_id, score), labels[trace_id], audit)
            rows.append(row_of(trace_id, audit.stored, found, at=at))
    return rows


def label_row(audit: Audit, trace_id: str, score: float, *, at: float) -> Row:
    """A person's label as a row of feedback; its key knows one label for each answer."""
    return row_of(trace_id, audit.label, score, at=at)


def waiting(audit: Audit, facts: Facts) -> pl.DataFrame:
    """The drawn answers that lack their label, oldest first: trace, time, question and answer."""
    asked = set(_first(facts, audit.asked)) - set(_first(facts, audit.label))
    blind = facts.traces.select("trace_id", "at", "question", "answer")
    return blind.filter(pl.col("trace_id").is_in(list(asked))).sort("at", "trace_id")


def _stored(score: float, label: float | None, audit: Audit) -> float:
    exact = scale_of(audit.audited).stored(calibrated(score, label, audit.audited))
    return min(max(exact, 0.0), 1.0)


def _first(facts: Facts, stored: str) -> dict[str, float]:
    """The first score of this name of each trace in the facts."""
    own = facts.feedback.filter(metric=stored).sort("at", "key")
    own = own.join(facts.traces.select("trace_id"), on="trace_id", how="semi")
    first = own.unique("trace_id", keep="first", maintain_order=True)
    return dict(first.select("trace_id", "score").iter_rows())
