"""Evaluates stored answers that nobody has evaluated yet, as rows of feedback."""

import logging
from collections.abc import Sequence
from typing import TypedDict

import polars as pl

from engine.evaluate.evaluator import Score, Trace
from engine.evidence.facts import Facts

log = logging.getLogger("trimtab.evaluate")


class Row(TypedDict):
    """A score as a row of feedback."""

    key: str
    at: float
    trace_id: str
    metric: str
    score: float


def row_of(trace_id: str, metric: str, score: float, *, at: float) -> Row:
    """A score under the one key that this metric has for a trace."""
    key = f"{metric}:{trace_id}"
    return Row(key=key, at=at, trace_id=trace_id, metric=metric, score=score)


def unevaluated(facts: Facts, name: str, *, since: float) -> Sequence[Trace]:
    """Answered requests from `since` on, oldest first, that lack a score of this name.

    Only what was answered and kept as text can be evaluated.
    """
    done = facts.feedback.filter(metric=name)["trace_id"]
    open_ = facts.traces.filter(
        pl.col("at") >= since,
        pl.col("status") == "ok",
        pl.col("answer").is_not_null(),
        pl.col("question").is_not_null(),
        ~pl.col("trace_id").is_in(done.implode()),
    )
    return open_.sort("at", "trace_id").to_dicts()


def evaluated(traces: Sequence[Trace], name: str, score: Score, *, at: float) -> list[Row]:
    """Rows of feedback with the metric's scores, under keys that make a second run harmless.

    An evaluation that fails leaves its request without a score.
    """
    rows = [_row(trace, name, score, at) for trace in traces]
    return [row for row in rows if row is not None]


def _row(trace: Trace, name: str, score: Score, at: float) -> Row | None:
    try:
        found = score(trace)
    except Exception as error:  # noqa: BLE001 - an own function may raise anything
        log.warning("%s of %s was not evaluated: %s", name, trace["trace_id"], error)
        return None
    return None if found is None else row_of(trace["trace_id"], name, found, at=at)
