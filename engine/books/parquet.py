"""Facts as Parquet files that say when they are damaged."""

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.books.catalogue import FileRow
from engine.errors import StoreCorruptError
from engine.evidence.records import SCHEMAS, Kind
from engine.evidence.timeline import FIELDS, TIMELINE, timeline_of

MAGIC = b"PAR1"
BATCH = pa.field("batch", pa.int64())


def encode(table: pa.Table) -> bytes:
    """The bytes of a Parquet file with these rows; traces get their timeline beside their spans."""
    if "spans" in table.column_names and TIMELINE not in table.column_names:
        table = _timed(table)
    texts, numbers = _leaves_of(table.schema)
    sink = pa.BufferOutputStream()
    # a number is seldom there twice: its bytes, each with its like, weigh a third less
    pq.write_table(
        table,
        sink,
        compression="zstd",
        use_dictionary=texts,
        column_encoding=dict.fromkeys(numbers, "BYTE_STREAM_SPLIT"),
    )
    return bytes(sink.getvalue())


def digest_of(data: bytes) -> str:
    """What the catalogue remembers of a file's bytes."""
    return hashlib.sha256(data).hexdigest()


def table_of_rows(
    kind: Kind, cursor: sqlite3.Cursor, rows: Sequence[tuple[object, ...]]
) -> pa.Table:
    """Turn rows of a spool into a table of this kind; a column that an old spool lacks is null."""
    columns = dict(zip((of[0] for of in cursor.description), zip(*rows, strict=True), strict=True))
    return pa.Table.from_arrays(
        [_array(columns.get(field.name), len(rows), field.type) for field in SCHEMAS[kind]],
        schema=SCHEMAS[kind],
    )


def blank(kind: Kind, columns: Sequence[str] | None = None) -> pa.Table:
    """What a file without rows would give."""
    return _ordered(_shaped(encode(SCHEMAS[kind].append(BATCH).empty_table()), kind, columns))


def load(
    root: Path, file: FileRow, *, after: int, upto: int, columns: Sequence[str] | None = None
) -> pa.Table:
    """Read one listed file's rows of ``after < batch <= upto``, with their `batch` column.

    A trace's `timeline`, or a field of it such as `timeline.node`, is read where it is asked for
    by its name.

    Raises:
        StoreCorruptError: The file is missing, torn or altered; the message names it.
    """
    table = _verified(root / file.path, file, columns)
    if BATCH.name not in table.column_names:
        batch = pa.repeat(pa.scalar(file.id, BATCH.type), table.num_rows)
        table = table.append_column(BATCH, batch)
    elif file.first_batch <= after or file.last_batch > upto:
        batch = table[BATCH.name]
        table = table.filter(pc.and_(pc.greater(batch, after), pc.less_equal(batch, upto)))
    return _ordered(table)


def _verified(path: Path, file: FileRow, columns: Sequence[str] | None) -> pa.Table:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise StoreCorruptError(f"{path}: missing; {_CURE}") from error
    except OSError as error:
        raise StoreCorruptError(f"{path}: can't be read ({error}); {_CURE}") from error
    if len(data) < 2 * len(MAGIC) or data[:4] != MAGIC or data[-4:] != MAGIC:
        raise StoreCorruptError(f"{path}: torn, {len(data)} bytes without Parquet's marks; {_CURE}")
    if digest_of(data) != file.digest:
        raise StoreCorruptError(f"{path}: altered since it was written; {_CURE}")
    table = _shaped(data, file.kind, columns)
    if table.num_rows != file.rows:
        raise StoreCorruptError(
            f"{path}: {table.num_rows} rows, the catalogue says {file.rows}; {_CURE}"
        )
    return table


def _shaped(data: bytes, kind: Kind, columns: Sequence[str] | None) -> pa.Table:
    source = pa.BufferReader(data)
    parquet = pq.ParquetFile(source)
    wanted = [field for field in SCHEMAS[kind] if columns is None or field.name in columns]
    held = parquet.schema_arrow.names
    names = [field.name for field in [*wanted, BATCH] if field.name in held]
    leaves = _leaves_named(columns)
    if leaves and TIMELINE not in held:
        # a file from before traces had a timeline
        return _shaped(encode(parquet.read(use_threads=False)), kind, columns)
    if leaves:
        parquet = pq.ParquetFile(source, metadata=parquet.metadata, read_dictionary=_CODED)
    table = parquet.read(columns=[*names, *leaves], use_threads=False)
    for place, field in enumerate(wanted):
        if field.name not in held:
            # a file from before this column existed
            table = table.add_column(place, field, pa.nulls(table.num_rows, field.type))
    return table


def _ordered(table: pa.Table) -> pa.Table:
    """Files of every age have one order."""
    last = [name for name in (BATCH.name, TIMELINE) if name in table.column_names]
    return table.select([name for name in table.column_names if name not in last] + last)


def _leaves_named(columns: Sequence[str] | None) -> list[str]:
    """The fields of a timeline that these columns name."""
    asked = columns or ()
    whole = TIMELINE in asked
    return [f"{_SPAN}{name}" for name in FIELDS if whole or f"{TIMELINE}.{name}" in asked]


def _timed(table: pa.Table) -> pa.Table:
    spans = pl.from_arrow(table["spans"])
    assert isinstance(spans, pl.Series)
    timeline = timeline_of(spans).to_arrow(compat_level=pl.CompatLevel.oldest())
    span = pa.struct([(name, _ARROW[kind]) for name, kind in FIELDS.items()])
    return table.append_column(TIMELINE, timeline.cast(pa.list_(pa.field("element", span))))


def _leaves_of(schema: pa.Schema) -> tuple[list[str], list[str]]:
    """The names of a file's texts and of its numbers, also inside the timeline."""
    leaves = {field.name: field.type for field in schema if field.name != TIMELINE}
    if TIMELINE in schema.names:
        span = schema.field(TIMELINE).type.value_type
        leaves |= {f"{_SPAN}{field.name}": field.type for field in span}
    texts = [name for name, kind in leaves.items() if kind == pa.string() or name in _CODED]
    numbers = [name for name, kind in leaves.items() if kind in _NUMBERS]
    return texts, numbers


def _array(values: Sequence[object] | None, count: int, type_: pa.DataType) -> pa.Array:
    if values is None:
        return pa.nulls(count, type_)
    if pa.types.is_boolean(type_):
        return pa.array(values, pa.int8()).cast(type_)
    return pa.array(values, type_)


_SPAN = f"{TIMELINE}.list.element."
_ARROW = {
    pl.String: pa.string(),
    pl.Int64: pa.int64(),
    pl.Float64: pa.float64(),
    pl.Boolean: pa.bool_(),
}
_CODED = [f"{_SPAN}{name}" for name, kind in FIELDS.items() if kind == pl.String]
"""Texts of so few values that a reader gets their codes, and counts ten million in no time."""
_NUMBERS = {pa.int32(), pa.int64(), pa.float64()}
_CURE = "`trimtab doctor --move-damaged` moves it aside, the rest stays readable"
