"""Every request of a pair with what was known of it when its unit matured."""

import polars as pl

from engine.config.metric import Builtin, Calibrated, Metric, asked_of, stored_as
from engine.evidence.facts import Facts
from engine.evidence.questions import Questions, least_of, most_of, score_of
from engine.stats.calibrated import ends, scale_of
from engine.stats.tally import Scale

UNIT = ("unit_id", "epoch")
"""What counts once."""
_TRACED = ("duration_s", "status", "cost_usd", "input_tokens", "output_tokens")


def requests_of(
    exposures: pl.DataFrame, facts: Facts, questions: Questions, *, now: float
) -> pl.DataFrame:
    """One row a request, in the order of time: whether it failed, how long it took, its scores.

    `exposures` carry `until`, when their unit matures. A failed request scores 0 on every metric,
    whatever anybody said of it. An audited answer without its label has no calibrated score, only
    the least and the most that it could be.
    """
    known = exposures.select("trace_id", "at", "until")
    requests = exposures.join(_answered(facts.traces, known), on="trace_id", how="left")
    for stored in _stored(questions):
        rated = _rated(facts.feedback, known, stored)
        requests = requests.join(rated, on="trace_id", how="left")
    lost = pl.col("status").is_null() & (pl.col("until") <= now)
    requests = requests.with_columns(
        failed=lost | (pl.col("status") != "ok").fill_null(value=False),
        timed_out=(pl.col("status") == "timeout").fill_null(value=False),
        traced=pl.col("status").is_not_null(),
        tokens=pl.col("input_tokens") + pl.col("output_tokens"),
    )
    scores = {
        score_of(name): _unless_failed(_score(name, metric), questions.scale(name))
        for name, metric in questions.asked.items()
    }
    for name, metric in questions.calibrated.items():
        scores |= _open(name, metric)
    spent = ("duration_s", "cost_usd", "tokens")
    return requests.with_columns(
        **scores, **{name: pl.when("failed").then(None).otherwise(name) for name in spent}
    ).sort("at", "trace_id")


def _answered(traces: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The traces that were finished when their unit matured."""
    absent = [name for name in _TRACED if name not in traces.columns]
    return (
        traces.with_columns(pl.lit(None).alias(name) for name in absent)
        .select("trace_id", *_TRACED)
        .join(known, on="trace_id")
        .filter(pl.col("at") + pl.col("duration_s") <= pl.col("until"))
        .select("trace_id", *_TRACED)
    )


def _stored(questions: Questions) -> list[str]:
    """The stored scores that the asked metrics are read from."""
    names = {stored_as(name, metric) for name, metric in questions.asked.items()}
    asked = {asked_of(stored_as(name, one)) for name, one in questions.calibrated.items()}
    return sorted(names | asked)


def _rated(feedback: pl.DataFrame, known: pl.DataFrame, stored: str) -> pl.DataFrame:
    """Each request's last score of this name that came before its unit matured."""
    return (
        feedback.filter(metric=stored)
        .select("trace_id", "score", rated_at="at")
        .join(known, on="trace_id")
        .filter(pl.col("rated_at") <= pl.col("until"))
        .group_by("trace_id")
        # The last word counts; of two at the same time, whatever their order in the files.
        .agg(pl.col("score").sort_by("rated_at", "score").last().alias(_said(stored)))
    )


def _said(stored: str) -> str:
    return f"said.{stored}"


def _score(name: str, metric: Metric) -> pl.Expr:
    """A metric of an answered request; null where nobody scored it."""
    said = pl.col(_said(stored_as(name, metric)))
    if not isinstance(metric, Builtin):
        return said
    answered = pl.col("traced").replace_strict({True: 1.0}, default=None, return_dtype=pl.Float64)
    match metric.measures:
        case "feedback":
            return said
        case "positive_feedback":
            return (said > 0.5).cast(pl.Float64)
        case "effective_answer":
            return pl.when(said < 0.5).then(0.0).otherwise(answered)
        case "timeout":
            return answered
        case "latency":
            return _falling("duration_s", metric.limit)
        case "cost":
            return _falling("cost_usd", metric.limit)


def _unless_failed(score: pl.Expr, scale: Scale) -> pl.Expr:
    return pl.when("failed").then(scale.stored(0.0)).otherwise(score)


def _open(name: str, metric: Calibrated) -> dict[str, pl.Expr]:
    """The ends of a calibrated score: the score itself where nobody was asked, or has answered."""
    stored, scale = stored_as(name, metric), scale_of(metric.audited)
    score, judged = pl.col(_said(stored)), pl.col(_said(asked_of(stored)))
    # Both ends rise evenly with the evaluator's score.
    worst, best = ends(0.0, metric.audited), ends(1.0, metric.audited)
    found = {}
    for column, low, high in (
        (least_of(name), worst.least, best.least),
        (most_of(name), worst.most, best.most),
    ):
        end = scale.stored(low) + judged * (scale.stored(high) - scale.stored(low))
        found[column] = _unless_failed(pl.coalesce(score, end), scale)
    return found


def _falling(column: str, limit: float | None) -> pl.Expr:
    """1 at nothing, 0 at the limit and beyond."""
    return (1.0 - pl.col(column) / (limit or 1.0)).clip(0.0, 1.0)
