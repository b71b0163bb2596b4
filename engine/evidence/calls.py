"""What each workflow, node, variant and segment did, request by request and in sum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from engine.evidence.measure import Facts
from engine.evidence.timeline import spans_of

Scope = Literal["workflow", "node", "variant", "segment"]

KEY = ("workflow", "scope", "name")
MEASURES = ("duration_s", "cost_usd", "score")

_COLUMNS = (*KEY, "trace_id", "at", "failed", "timed_out", *MEASURES)


@dataclass(frozen=True)
class Spread:
    """Count, mean and sample variance of what was measured; a mean of none is None."""

    n: int
    mean: float | None
    variance: float | None


@dataclass(frozen=True)
class Row:
    """The sum of one part's calls in one span of time."""

    workflow: str
    scope: Scope
    name: str
    calls: int
    failed: int
    timed_out: int
    duration_s: Spread
    cost_usd: Spread
    score: Spread

    @property
    def key(self) -> tuple[str, str, str]:
        """Which part this is."""
        return self.workflow, self.scope, self.name


def calls_of(facts: Facts, *, after: float, upto: float) -> pl.DataFrame:
    """One row a call of `after < at <= upto`, once for each part that it belongs to.

    A segment that nobody determined is no part: requests that fail early have none, and would make
    "no segment" fail always. The newest rating of a request counts. What testers asked for by
    forcing a variant is left out: it is no users' traffic.
    """
    seen = (pl.col("at") > after) & (pl.col("at") <= upto)
    status = pl.col("status")
    traces = (
        facts.traces.filter(seen)
        .with_columns(failed=status != "ok", timed_out=status == "timeout")
        .join(_forced(facts), on="trace_id", how="anti")
        .join(_ratings(facts.feedback), on="trace_id", how="left")
    )
    whole = traces.with_columns(scope=pl.lit("workflow"), name=pl.col("workflow"))
    parts = [
        traces.with_columns(scope=pl.lit(scope), name=pl.col(scope)).filter(
            pl.col("name").fill_null("") != ""
        )
        for scope in ("variant", "segment")
    ]
    frames = [whole, *parts, _nodes(traces)]
    return pl.concat([frame.select(_COLUMNS) for frame in frames])


def _forced(facts: Facts) -> pl.DataFrame:
    return facts.exposures.filter("forced").select("trace_id")


def rows_of(calls: pl.DataFrame) -> list[Row]:
    """The sums of every part, in the order of their names."""
    spreads: Sequence[pl.Expr] = [
        expression
        for name in MEASURES
        for expression in (
            pl.col(name).count().alias(f"{name}_n"),
            pl.col(name).mean().alias(f"{name}_mean"),
            pl.col(name).var().alias(f"{name}_variance"),
        )
    ]
    summed = (
        calls.group_by(KEY)
        .agg(pl.len().alias("calls"), pl.col("failed").sum(), pl.col("timed_out").sum(), *spreads)
        .sort(KEY)
    )
    return [_row(row) for row in summed.iter_rows(named=True)]


def _row(row: Mapping[str, Any]) -> Row:
    spreads = [
        Spread(row[f"{name}_n"], row[f"{name}_mean"], row[f"{name}_variance"]) for name in MEASURES
    ]
    counts = (row["calls"], row["failed"], row["timed_out"])
    return Row(row["workflow"], row["scope"], row["name"], *counts, *spreads)


def _ratings(feedback: pl.DataFrame) -> pl.DataFrame:
    return (
        feedback.filter(pl.col("metric") == "quality")
        .sort("at")
        .group_by("trace_id")
        .agg(pl.col("score").last())
    )


def _nodes(traces: pl.DataFrame) -> pl.DataFrame:
    """One row a span; a node has no cost of its own on record."""
    return spans_of(traces, "workflow", "trace_id", "at", "score").with_columns(
        scope=pl.lit("node"),
        name=pl.col("node").cast(pl.String),
        failed=pl.col("status") != "ok",
        timed_out=pl.col("status") == "timeout",
        cost_usd=pl.lit(None, dtype=pl.Float64),
    )
