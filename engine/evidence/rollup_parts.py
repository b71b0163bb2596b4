"""What each part of a workflow did in a span of minutes, read from roll-ups alone."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from engine.evidence.calls import Row, Scope, Spread
from engine.evidence.rollup import MEASURES, minute_of
from engine.evidence.timeline import TIMELINE, with_timeline

_PLACE = ("workflow", "scope", "name")
_COUNTS = ("calls", "failed", "timed_out")


@dataclass(frozen=True)
class Rolled:
    """Roll-ups, and what it takes to say whose a rating is."""

    sums: pl.DataFrame
    """Rows of `rolled`, a part's minute in one or several of them."""
    index: pl.DataFrame
    """Rows of `index_of`, of those of the traces that somebody rated."""
    feedback: pl.DataFrame
    """What was said of them."""


def index_of(traces: pl.DataFrame) -> pl.DataFrame:
    """Which parts each trace belongs to, its nodes as lines, once for each of their spans.

    One text a trace, because there are few different ones: they are kept and read as numbers.
    """
    nodes = pl.col(TIMELINE).list.eval(
        pl.element().struct.field("node").drop_nulls().cast(pl.String)
    )
    return with_timeline(traces).select(
        "trace_id",
        "at",
        pl.col("workflow", "variant", "segment").fill_null(""),
        nodes=nodes.list.join("\n"),
    )


def within(rolled: Rolled, *, after: float, upto: float) -> Rolled:
    """What belongs to the minutes of ``after < at <= upto``, both at whole minutes."""
    first, last = minute_of(after) + 1, minute_of(upto)
    return Rolled(
        sums=rolled.sums.filter(pl.col("minute").is_between(first, last)),
        index=rolled.index.filter((pl.col("at") > after) & (pl.col("at") <= upto)),
        feedback=rolled.feedback,
    )


def parts_of(rolled: Rolled) -> list[Row]:
    """The sums of every part, in the order of their names."""
    moments = [f"{name}_{what}" for name in MEASURES for what in ("n", "sum", "sq")]
    placed = pl.concat(
        [
            frame.group_by(_PLACE).agg(pl.col(*_COUNTS, *moments).sum())
            for frame in scoped(rolled.sums)
        ]
    )
    rated = rated_calls(rolled)
    scores = rated.group_by(_PLACE).agg(
        pl.len().cast(pl.Int64).alias("score_n"),
        pl.col("score").mean().alias("score_mean"),
        pl.col("score").var().alias("score_variance"),
    )
    rows = placed.join(scores, on=_PLACE, how="left").sort(_PLACE)
    return [_row(row) for row in rows.iter_rows(named=True)]


def rated_calls(rolled: Rolled) -> pl.DataFrame:
    """One row a rated call, once for each part that it belongs to; the newest rating counts."""
    ratings = (
        rolled.feedback.filter(pl.col("metric") == "quality")
        .sort("at")
        .group_by("trace_id")
        .agg(pl.col("score").last())
    )
    whose = rolled.index.join(ratings, on="trace_id")
    listed = whose.with_columns(node=pl.col("nodes").str.split("\n")).explode("node")
    nodes = listed.filter(pl.col("node") != "")
    requests = whose.drop("nodes").with_columns(node=pl.lit(""))
    frames = scoped(pl.concat([requests, nodes.select(requests.columns)]))
    return pl.concat([frame.select(*_PLACE, "trace_id", "at", "score") for frame in frames])


def examples_of(rolled: Rolled, kind: str, place: tuple[str, Scope, str]) -> Iterator[str]:
    """The worst requests of a part, the worst first; `kind` is a column of examples."""
    own = pl.concat([frame.select(*_PLACE, kind) for frame in scoped(rolled.sums)]).filter(
        *(pl.col(column) == value for column, value in zip(_PLACE, place, strict=True))
    )
    worst = own.explode(kind, empty_as_null=False).unnest(kind).sort("value", descending=True)
    yield from worst["trace_id"].unique(maintain_order=True)


def scoped(sums: pl.DataFrame) -> Iterable[pl.DataFrame]:
    """The rows under the names that a reader knows; a node has no cost of its own on record."""
    whole = sums.filter(pl.col("node") == "")
    for scope in ("workflow", "variant", "segment"):
        named = whole.with_columns(scope=pl.lit(scope), name=pl.col(scope))
        yield named.filter(pl.col("name") != "") if scope != "workflow" else named
    nodes = sums.filter(pl.col("node") != "")
    yield nodes.with_columns(
        pl.lit("node").alias("scope"),
        pl.col("node").alias("name"),
        *(pl.col(name) * 0 for name in sums.columns if name.startswith("cost_usd_")),
    )


def _row(row: Mapping[str, Any]) -> Row:
    score = Spread(row["score_n"] or 0, row["score_mean"], row["score_variance"])
    return Row(
        workflow=row["workflow"],
        scope=row["scope"],
        name=row["name"],
        calls=row["calls"],
        failed=row["failed"],
        timed_out=row["timed_out"],
        duration_s=_spread(row, "duration_s"),
        cost_usd=_spread(row, "cost_usd"),
        score=score,
    )


def _spread(row: Mapping[str, Any], name: str) -> Spread:
    n, total, squares = (row[f"{name}_{what}"] for what in ("n", "sum", "sq"))
    if n == 0:
        return Spread(0, None, None)
    mean = total / n
    # the difference of two large sums can come out just below nothing
    variance = max(0.0, squares - n * mean * mean) / (n - 1) if n > 1 else None
    return Spread(n, mean, variance)
