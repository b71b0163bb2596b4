"""Sums of traces by part for one span of time, and where the worst calls of each part lie."""

from collections.abc import Iterable

import polars as pl

from engine.evidence.calls import Scope
from engine.evidence.rollup import PART, moments_of
from engine.evidence.rollup_parts import scoped
from engine.evidence.timeline import TIMELINE, spans_of

ASKED = (
    *("trace_id", "at", "workflow", "variant", "segment", "status", "duration_s", "cost_usd"),
    *(f"{TIMELINE}.{field}" for field in ("node", "duration_us", "status")),
)
"""The columns of a trace that a tally is made of."""


def tallied(traces: pl.DataFrame) -> pl.DataFrame:
    """One row a part: its sums, and how bad its worst calls are.

    Leaner than a roll-up: no minutes, tokens, histograms or examples. What it costs is reading.
    """
    named = traces.with_columns(pl.col("workflow", "variant", "segment").fill_null(""))
    spans = spans_of(named, "workflow", "at").with_columns(
        cost_usd=pl.lit(None, dtype=pl.Float64), variant=pl.lit(""), segment=pl.lit("")
    )
    return pl.concat([_summed(named.with_columns(node=pl.lit(""))), _summed(spans)])


def worst_files(
    sums: pl.DataFrame, worst: str, place: tuple[str, Scope, str], most: int
) -> list[int]:
    """The files with a part's worst calls, by the `file` of their sums; `worst` is a column.

    As many files as examples are enough: no other holds anything worse than the worst of each.
    """
    own = pl.concat(frame.select(*_PLACE, "file", worst) for frame in scoped(sums))
    named = (pl.col(column) == value for column, value in zip(_PLACE, place, strict=True))
    files = own.filter(pl.col(worst).is_not_null(), *named).group_by("file")
    ranked = files.agg(pl.col(worst).max()).sort(worst, "file", descending=True)
    return ranked["file"].head(most).to_list()


_PLACE = ("workflow", "scope", "name")


def _summed(calls: pl.DataFrame) -> pl.DataFrame:
    status = pl.col("status")
    known = calls.with_columns(failed=status != "ok", timed_out=status == "timeout")
    summed = known.group_by(PART).agg(
        pl.len().cast(pl.Int64).alias("calls"),
        pl.col("failed", "timed_out").sum().cast(pl.Int64),
        *_moments(),
        pl.col("duration_s").max().alias("slowest"),
        pl.col("cost_usd").max().alias("dearest"),
        pl.col("at").filter("failed").max().alias("failures"),
        pl.col("at").filter("timed_out").max().alias("timeouts"),
    )
    return summed.with_columns(pl.col("node").cast(pl.String))


def _moments() -> Iterable[pl.Expr]:
    return (one for name in ("duration_s", "cost_usd") for one in moments_of(name))
