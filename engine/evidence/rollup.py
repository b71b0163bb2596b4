"""Sums of traces by minute and part, from which every longer span of time adds up.

A part is a (workflow, variant, segment, node), and the node "" is the request as a whole. Adding
two roll-ups gives the roll-up of both, so files may be rolled up one by one.
"""

from collections.abc import Iterable, Mapping, Sequence
from math import ceil

import polars as pl

from engine.evidence.timeline import TIMELINE, spans_of

MINUTE_S = 60.0
PART = ("workflow", "variant", "segment", "node")
KEY = (*PART, "minute")
MEASURES = ("duration_s", "cost_usd")
TOTALS = ("input_tokens", "output_tokens")
COUNTS = ("calls", "failed", "timed_out", "cache_hits", "cache_asked")
EXAMPLES = 3

WORST: Mapping[str, tuple[str, str | None]] = {
    "slowest": ("duration_s", None),
    "dearest": ("cost_usd", None),
    "failures": ("at", "failed"),
    "timeouts": ("at", "timed_out"),
}
"""Kinds of examples: which column's greatest come first, and of which calls."""

_SAID = (
    *("duration_s", "status", "error", "input_tokens", "output_tokens"),
    *("cost_usd", "cache_hit"),
)
"""What a request says, and each of its spans."""
ASKED = ("trace_id", "at", "workflow", "variant", "segment", *_SAID, TIMELINE)
"""The columns of a trace that a roll-up is made of."""


def minute_of(at: float) -> int:
    """The minute of a call: minute m is 60 m < at <= 60 m + 60."""
    return ceil(at / MINUTE_S) - 1


def rolled(traces: pl.DataFrame) -> pl.DataFrame:
    """The roll-up of these traces, one row a part and minute."""
    named = traces.with_columns(
        pl.col("workflow", "variant", "segment").fill_null(""),
        minute=((pl.col("at") / MINUTE_S).ceil() - 1).cast(pl.Int64),
    )
    kept = ("trace_id", "at", "workflow", "variant", "segment", "minute")
    spans = spans_of(named, *kept).select(*kept, "node", *_SAID)
    parts = spans.cast({pl.Categorical: pl.String})
    whole = named.select(*kept, pl.lit("").alias("node"), *_SAID)
    calls = pl.concat([whole, parts]).with_columns(
        failed=pl.col("status") != "ok",
        timed_out=pl.col("status") == "timeout",
    )
    return calls.group_by(KEY).agg(
        pl.len().cast(pl.Int64).alias("calls"),
        pl.col("failed", "timed_out").sum().cast(pl.Int64),
        pl.col("cache_hit").sum().cast(pl.Int64).alias("cache_hits"),
        pl.col("cache_hit").count().cast(pl.Int64).alias("cache_asked"),
        *(one for name in MEASURES for one in moments_of(name)),
        pl.col(*TOTALS).sum(),
        _tallied(pl.col("error").filter("failed").fill_null("")).alias("errors"),
        *(_worst_of(*how).alias(name) for name, how in WORST.items()),
    )


def added(rollups: Sequence[pl.DataFrame], key: Sequence[str] = KEY) -> pl.DataFrame:
    """The sum of several roll-ups; a shorter key sums over what it leaves out."""
    every = pl.concat(rollups)
    total = every.group_by(*key).agg(
        pl.col(*COUNTS, *TOTALS).sum(),
        *(pl.col(f"{name}_{what}").sum() for name in MEASURES for what in ("n", "sum", "sq")),
        *(_few(pl.col(name).explode(empty_as_null=False)).alias(name) for name in WORST),
    )
    total = total.join(_summed(every, key, "errors"), on=key, how="left").with_columns(
        pl.col("errors").fill_null([])
    )
    return total.select(*key, *(name for name in every.columns if name not in KEY)).sort(*key)


def moments_of(name: str) -> Iterable[pl.Expr]:
    """What a mean and a variance of this column add up from."""
    value = pl.col(name)
    yield value.count().cast(pl.Int64).alias(f"{name}_n")
    yield value.sum().alias(f"{name}_sum")
    yield (value * value).sum().alias(f"{name}_sq")


def _tallied(values: pl.Expr) -> pl.Expr:
    """How often each text is there."""
    counts = values.value_counts(name="count")
    kinds = pl.Struct({"value": pl.String, "count": pl.Int64})
    return counts.struct.rename_fields(["value", "count"]).cast(kinds)


def _summed(every: pl.DataFrame, key: Sequence[str], name: str) -> pl.DataFrame:
    return (
        every.select(*key, name)
        .explode(name, empty_as_null=False)
        .unnest(name)
        .group_by(*key, "value")
        .agg(pl.col("count").sum())
        .sort(*key, "value")
        .group_by(*key, maintain_order=True)
        .agg(pl.struct("value", "count").alias(name))
    )


def _worst_of(column: str, among: str | None) -> pl.Expr:
    """The worst few calls, each of another request."""
    calls = pl.struct(pl.col(column).cast(pl.Float64).alias("value"), "trace_id")
    meant = pl.col(column).is_not_null()
    return _few(calls.filter(meant if among is None else meant & pl.col(among)))


def _few(calls: pl.Expr) -> pl.Expr:
    order = (calls.struct.field("value"), calls.struct.field("trace_id"))
    worst = calls.sort_by(*order, descending=[True, False])
    return worst.filter(worst.struct.field("trace_id").is_first_distinct()).head(EXAMPLES)
