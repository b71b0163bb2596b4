"""Reads a table of logged outcomes, and with it what the variants are set to."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from engine.config.problem import did_you_mean, nearest
from engine.errors import ConfigError
from engine.stats.arrays import FloatArray, IntArray
from search.replay.outcomes import BoolArray, Outcomes

REQUIRED = ("variant", "unit_id", "score")
OPTIONAL = ("latency_s", "input_tokens", "output_tokens", "cost_usd", "segment", "error")
TRUTHS = {"true": True, "1": True, "false": False, "0": False, "": False}
PARQUET = frozenset({".parquet", ".pq"})


class Limits(NamedTuple):
    """What a number must be."""

    low: float
    high: float
    said: str


SCORE = Limits(0.0, 1.0, "a number from 0 to 1, or nothing where unrated")
LATENCY = Limits(float(np.nextafter(0.0, 1.0)), 1e9, "seconds above 0, or nothing where unmeasured")
AMOUNT = Limits(0.0, 1e15, "a number from 0 up, or nothing where unmeasured")


def read_outcomes(path: Path) -> Outcomes:
    """Read a CSV or Parquet file of one row a variant and unit.

    Columns: `variant`, `unit_id` and `score` in [0, 1], empty where unrated; optionally
    `latency_s`, `cost_usd`, `segment`, `error` (true or false), and `input_tokens` with
    `output_tokens`, whose sum is the cost where no money is known. Others are left alone. A replay
    draws units in an order of its own, so no time is needed.

    Raises:
        ConfigError: The first problem, with its column and its row; the first row under the head
            is row 1.
    """
    frame = read_frame(path, REQUIRED, OPTIONAL)
    variant, variants = _numbered(_filled(path, frame["variant"]))
    unit, units = _numbered(_filled(path, frame["unit_id"]))
    if len(variants) < 2:
        why = f"holds {len(variants)} variant; a replay compares at least 2"
        raise ConfigError(f"{path}: column `variant` {why}")
    _refuse_twice(path, frame, variant * len(units) + unit)
    failed = _truths(path, frame["error"]) if "error" in frame else None
    score = _numbers(path, frame["score"], SCORE)
    rated = ~np.isnan(score) if failed is None else ~np.isnan(score) | failed
    _refuse_empty(path, "score", variants, variant, rated)
    segment, segments = _segments(frame)
    return Outcomes(
        variants=variants,
        variant=variant,
        unit=unit,
        score=score,
        latency_s=_measured(path, frame, "latency_s", LATENCY, variants, variant),
        cost=_cost(path, frame, variants, variant),
        failed=failed,
        segment=segment,
        segments=segments,
    )


def read_frame(
    path: Path, required: Sequence[str], optional: Sequence[str] | None = None
) -> pl.DataFrame:
    """Read the columns of a CSV or Parquet file, texts without the blanks around them.

    Without `optional` every column is read. A missing name that is nearly there is refused: its
    figures would silently be left out.

    Raises:
        ConfigError: The file is missing, unreadable or empty, or a column is.
    """
    if not path.is_file():
        files = [one.name for one in path.parent.glob("*") if one.suffix in {".csv", *PARQUET}]
        raise ConfigError(f"{path}: no such file; {did_you_mean(path.name, files)}")
    try:
        if path.suffix.lower() in PARQUET:
            lazy = pl.scan_parquet(path)
        else:
            lazy = pl.scan_csv(path, infer_schema=False)
        known = lazy.collect_schema().names()
        _check_names(path, known, required, optional or ())
        wanted = known if optional is None else [n for n in known if n in {*required, *optional}]
        frame = lazy.select(wanted).collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        first = str(error).splitlines()[0]
        raise ConfigError(f"{path}: can't be read as CSV or Parquet: {first}") from error
    if frame.height == 0:
        raise ConfigError(f"{path}: holds no row under its head")
    for name, kind in frame.schema.items():
        if kind.is_nested():
            raise ConfigError(f"{path}: column `{name}` holds {kind}; write one value a row")
    return frame.with_columns(pl.col(pl.String).str.strip_chars())


def _check_names(
    path: Path, known: Sequence[str], required: Sequence[str], optional: Sequence[str]
) -> None:
    for name in required:
        if name not in known:
            raise ConfigError(f"{path}: no column `{name}`; {did_you_mean(name, known)}")
    absent = [name for name in optional if name not in known]
    for name in known:
        meant = nearest(name, absent) if name not in {*required, *optional} else None
        if meant is not None:
            why = f"column `{name}` looks like `{meant}`, which is not there"
            raise ConfigError(f"{path}: {why}; rename it, or delete it to go without")


def _filled(path: Path, column: pl.Series) -> pl.Series:
    texts = column.cast(pl.String)
    empty = (texts.is_null() | (texts == "")).to_numpy()
    if empty.any():
        row = _row(empty)
        raise ConfigError(f"{path}: row {row}, column `{column.name}`: got nothing; write a name")
    return texts


def _numbered(names: pl.Series) -> tuple[IntArray, tuple[str, ...]]:
    """Names as numbers, in the order in which they first come."""
    known = names.unique(maintain_order=True)
    numbers = names.cast(pl.Enum(known)).to_physical().cast(pl.Int64).to_numpy()
    return numbers, tuple(known.to_list())


def _refuse_twice(path: Path, frame: pl.DataFrame, pair: IntArray) -> None:
    _, first, inverse = np.unique(pair, return_index=True, return_inverse=True)
    again = first[inverse] != np.arange(pair.size)
    if again.any():
        row = _row(again)
        before = int(first[inverse][row - 1]) + 1
        variant, unit = frame["variant"][row - 1], frame["unit_id"][row - 1]
        why = f"unit {unit!s} of variant {variant!s} is in row {before} already"
        raise ConfigError(f"{path}: row {row}: {why}; a unit has one outcome under each variant")


def _numbers(path: Path, column: pl.Series, limits: Limits) -> FloatArray:
    """A column's numbers; what is empty is NaN."""
    numbers = column.cast(pl.Float64, strict=False)
    there = column.is_not_null()
    if column.dtype == pl.String:
        there &= column != ""
    values = numbers.fill_null(float("nan")).to_numpy()
    # A comparison with NaN is false: a NaN that was written down counts as empty.
    outside = (values < limits.low) | (values > limits.high)
    wrong = (there & numbers.is_null()).to_numpy() | outside
    if wrong.any():
        row = _row(wrong)
        where = f"row {row}, column `{column.name}`"
        raise ConfigError(f"{path}: {where}: got {column[row - 1]!r}; write {limits.said}")
    return values


def _measured(
    path: Path,
    frame: pl.DataFrame,
    name: str,
    limits: Limits,
    variants: Sequence[str],
    variant: IntArray,
) -> FloatArray | None:
    """An optional column's numbers; each variant has some, or there are none at all."""
    if name not in frame:
        return None
    values = _numbers(path, frame[name], limits)
    _refuse_empty(path, name, variants, variant, ~np.isnan(values))
    return values


def _cost(
    path: Path, frame: pl.DataFrame, variants: Sequence[str], variant: IntArray
) -> FloatArray | None:
    """US dollars, or tokens where no money is known."""
    if "cost_usd" in frame:
        return _measured(path, frame, "cost_usd", AMOUNT, variants, variant)
    kinds = [name for name in ("input_tokens", "output_tokens") if name in frame]
    if len(kinds) == 1:
        other = "output_tokens" if kinds == ["input_tokens"] else "input_tokens"
        raise ConfigError(f"{path}: column `{kinds[0]}` is there without `{other}`; add it")
    counts = [_measured(path, frame, name, AMOUNT, variants, variant) for name in kinds]
    known = [count for count in counts if count is not None]
    return known[0] + known[1] if known else None


def _refuse_empty(
    path: Path, name: str, variants: Sequence[str], variant: IntArray, there: BoolArray
) -> None:
    counts = np.bincount(variant[there], minlength=len(variants))
    if (counts == 0).any():
        empty = variants[int(np.argmin(counts))]
        what = "fill some in" if name == "score" else "fill some in, or delete the column"
        raise ConfigError(f"{path}: variant {empty!r} has no `{name}` in any row; {what}")


def _truths(path: Path, column: pl.Series) -> BoolArray:
    texts = column.cast(pl.String).fill_null("").str.to_lowercase()
    unknown = (~texts.is_in(list(TRUTHS))).to_numpy()
    if unknown.any():
        row = _row(unknown)
        why = f"got {column[row - 1]!r}; write true or false"
        raise ConfigError(f"{path}: row {row}, column `{column.name}`: {why}")
    failed: BoolArray = texts.is_in([text for text, true in TRUTHS.items() if true]).to_numpy()
    return failed


def _segments(frame: pl.DataFrame) -> tuple[IntArray | None, tuple[str, ...]]:
    """Each row's segment; -1 where it has none."""
    if "segment" not in frame:
        return None, ()
    texts = frame["segment"].cast(pl.String).fill_null("")
    numbers, names = _numbered(texts)
    if "" not in names:
        return numbers, names
    blank = names.index("")
    shifted = np.where(numbers > blank, numbers - 1, numbers)
    return np.where(numbers == blank, -1, shifted), tuple(name for name in names if name)


def _row(wrong: BoolArray) -> int:
    """The first wrong row, counted from 1 under the head."""
    return int(np.argmax(wrong)) + 1
