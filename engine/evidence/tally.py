"""Sums of traces by part for one span of time, and where the worst calls of each part lie."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from engine.evidence.calls import Scope
from engine.evidence.rollup import MEASURES, WORST, moments_of
from engine.evidence.rollup_parts import scoped
from engine.evidence.timeline import TIMELINE, spans_of

ASKED = (
    *("trace_id", "at", "workflow", "variant", "segment", "status", "duration_s", "cost_usd"),
    *(f"{TIMELINE}.{field}" for field in ("node", "duration_us", "status")),
)
"""The columns of a trace that a tally is made of."""
_PLACE = ("workflow", "scope", "name")


def tallied(traces: pl.DataFrame) -> pl.DataFrame:
    """One row a part: its sums, and how bad its worst calls are.

    Leaner than a roll-up: no minutes, tokens, histograms or examples. What it costs is reading.
    """
    named = traces.with_columns(pl.col("workflow", "variant", "segment").fill_null(""))
    whole = _summed(named, "workflow", "variant", "segment").with_columns(node=pl.lit(""))
    spans = spans_of(named, "workflow", "at").with_columns(cost_usd=pl.lit(None, dtype=pl.Float64))
    nodes = _summed(spans, "workflow", "node").with_columns(
        pl.col("node").cast(pl.String), variant=pl.lit(""), segment=pl.lit("")
    )
    return pl.concat([whole, nodes.select(whole.columns)])


@dataclass(frozen=True, slots=True)
class Worst:
    """Where the worst calls of a part lie."""

    kind: str
    """How they are the worst: a key of a roll-up's `WORST`."""
    place: tuple[str, Scope, str]
    files: tuple[int, ...]
    least: float
    """None of them is less bad than this."""


def worst_of_all(sums: pl.DataFrame, kind: str, place: tuple[str, Scope, str], most: int) -> Worst:
    """The files, by the `file` of their sums, with so many of a part's worst calls.

    As many files are enough: each other file's worst is no worse than the worst of each of these,
    and they are of different requests.
    """
    own = pl.concat(frame.select(*_PLACE, "file", kind) for frame in scoped(sums))
    named = (pl.col(column) == value for column, value in zip(_PLACE, place, strict=True))
    files = own.filter(pl.col(kind).is_not_null(), *named).group_by("file")
    ranked = files.agg(pl.col(kind).max()).sort(kind, "file", descending=True).head(most)
    least = float(ranked[kind][-1]) if ranked.height == most else -math.inf
    return Worst(kind, place, tuple(ranked["file"].to_list()), least)


def suspects(traces: pl.DataFrame, worst: Sequence[Worst]) -> pl.DataFrame:
    """The traces of a file with any of these calls."""
    whole = _known(traces)
    spans = _known(spans_of(traces, "trace_id", "workflow", "at"))
    found = [_beyond(spans if one.place[1] == "node" else whole, one)["trace_id"] for one in worst]
    return traces.filter(pl.col("trace_id").is_in(pl.concat(found).unique().to_list()))


def _beyond(calls: pl.DataFrame, worst: Worst) -> pl.DataFrame:
    workflow, scope, name = worst.place
    column, among = WORST[worst.kind]
    # first what few calls pass
    bad = calls.filter(pl.col(column) >= worst.least, *([pl.col(among)] if among else []))
    return bad.filter(pl.col("workflow") == workflow, pl.col(scope) == name)


def _summed(calls: pl.DataFrame, *key: str) -> pl.DataFrame:
    return (
        _known(calls)
        .group_by(key)
        .agg(
            pl.len().cast(pl.Int64).alias("calls"),
            pl.col("failed", "timed_out").sum().cast(pl.Int64),
            *_moments(),
            *(_worst_in(*how).alias(kind) for kind, how in WORST.items()),
        )
    )


def _known(calls: pl.DataFrame) -> pl.DataFrame:
    status = pl.col("status")
    return calls.with_columns(failed=status != "ok", timed_out=status == "timeout")


def _worst_in(column: str, among: str | None) -> pl.Expr:
    value = pl.col(column)
    return (value if among is None else value.filter(among)).max()


def _moments() -> Iterable[pl.Expr]:
    return (one for name in MEASURES for one in moments_of(name))
