"""The spans of traces as columns, so that a look back reads no text."""

from collections.abc import Sequence

import polars as pl

TIMELINE = "timeline"
FIELDS = {
    "node": pl.String,
    "duration_us": pl.Int64,
    "status": pl.String,
    "error": pl.String,
    "input_tokens": pl.Int64,
    "output_tokens": pl.Int64,
    "cost_usd": pl.Float64,
    "cache_hit": pl.Boolean,
}
"""What is kept of a span.

A workflow times its nodes to the microsecond, and whole ones weigh a third of what seconds do.
"""

_SAID = {"duration_us": ("duration_s", pl.Float64)}
"""Fields that the text says in another way."""
_US = 1e6


def with_timeline(traces: pl.DataFrame, fields: Sequence[str] = tuple(FIELDS)) -> pl.DataFrame:
    """The traces with their `timeline`, read from the text of their spans where it isn't yet."""
    if TIMELINE in traces.columns:
        return traces
    return traces.with_columns(timeline_of(traces["spans"], fields).alias(TIMELINE))


def timeline_of(spans: pl.Series, fields: Sequence[str] = tuple(FIELDS)) -> pl.Series:
    """A list of records for each text; a text that nobody can read has none.

    Never fails: one odd trace must not hold up all the others.
    """
    said = dict(_SAID.get(name, (name, FIELDS[name])) for name in fields)
    texts = spans.fill_null("").str.strip_chars().replace("", "[]")
    read = _decoded(texts, pl.List(pl.Struct(said)))
    return read.list.eval(pl.struct(_kept(name) for name in fields))


def spans_of(traces: pl.DataFrame, *kept: str) -> pl.DataFrame:
    """One row a span, with these columns of its trace; a status that nobody said is ok.

    Texts are codes where the timeline is a file's.
    """
    return (
        with_timeline(traces)
        .select(*kept, span=TIMELINE)
        .explode("span")
        .unnest("span")
        .filter(pl.col("node").is_not_null())
        .with_columns(pl.col("status").fill_null("ok"), duration_s=pl.col("duration_us") / _US)
    )


def _decoded(texts: pl.Series, kind: pl.List) -> pl.Series:
    try:
        read = texts.str.json_decode(kind)
    except pl.exceptions.PolarsError:
        pass
    else:
        # a text of several values gives several rows
        if len(read) == len(texts):
            return read.fill_null([])
    if len(texts) == 1:
        return pl.Series(texts.name, [[]], dtype=kind)
    half = len(texts) // 2
    return pl.concat([_decoded(texts[:half], kind), _decoded(texts[half:], kind)])


def _kept(name: str) -> pl.Expr:
    if name == "duration_us":
        said = pl.element().struct.field("duration_s")
        return (said * _US).round().cast(pl.Int64, strict=False).alias(name)
    return pl.element().struct.field(name)
