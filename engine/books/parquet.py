"""Facts as Parquet files that say when they are damaged."""

import hashlib
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.books.catalogue import FileRow
from engine.errors import StoreCorruptError
from engine.evidence.records import SCHEMAS, Kind

MAGIC = b"PAR1"
BATCH = pa.field("batch", pa.int64())


def encode(table: pa.Table) -> bytes:
    """The bytes of a Parquet file with these rows."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
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


def load(
    root: Path, file: FileRow, *, after: int, upto: int, columns: Sequence[str] | None = None
) -> pa.Table:
    """Read one listed file's rows of ``after < batch <= upto``, with their `batch` column.

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
    return table


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
    table = _shaped(pq.ParquetFile(pa.BufferReader(data)), file.kind, columns)
    if table.num_rows != file.rows:
        raise StoreCorruptError(
            f"{path}: {table.num_rows} rows, the catalogue says {file.rows}; {_CURE}"
        )
    return table


def _shaped(parquet: pq.ParquetFile, kind: Kind, columns: Sequence[str] | None) -> pa.Table:
    wanted = [field for field in SCHEMAS[kind] if columns is None or field.name in columns]
    held = parquet.schema_arrow.names
    names = [field.name for field in [*wanted, BATCH] if field.name in held]
    table = parquet.read(columns=names, use_threads=False)
    for place, field in enumerate(wanted):
        if field.name not in held:
            # a file from before this column existed
            table = table.add_column(place, field, pa.nulls(table.num_rows, field.type))
    return table


def _array(values: Sequence[object] | None, count: int, type_: pa.DataType) -> pa.Array:
    if values is None:
        return pa.nulls(count, type_)
    if pa.types.is_boolean(type_):
        return pa.array(values, pa.int8()).cast(type_)
    return pa.array(values, type_)


_CURE = "`trimtab doctor --move-damaged` moves it aside, the rest stays readable"
