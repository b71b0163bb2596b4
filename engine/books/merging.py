"""Makes few big files of many small ones, without changing a single answer."""

import pyarrow as pa

from engine.books.catalogue import FileRow
from engine.books.compactor import Compactor, path_of
from engine.books.parquet import digest_of, encode, load
from engine.books.store import NEWEST
from engine.evidence.records import SCHEMAS, Kind
from engine.evidence.timeline import TIMELINE

TARGET_ROWS = 200_000
"""A file with this many rows is left alone."""
LEAST_FILES = 32
"""Fewer small files than this aren't worth merging."""
MOST_FILES = 1024


def merge(
    compactor: Compactor,
    kind: Kind,
    at: float,
    *,
    target_rows: int = TARGET_ROWS,
    least_files: int = LEAST_FILES,
) -> int:
    """Merge the oldest neighbouring small files of a kind; return how many were replaced.

    Each row keeps the batch that first made it visible, so every read gives the same rows
    before and after. The replaced files are deleted by a later sweep.

    Raises:
        StoreCorruptError: One of the files is damaged; nothing was changed.
    """
    files = _neighbours(compactor.catalogue.live(kind), target_rows, least_files)
    if not files:
        return 0
    columns = [*SCHEMAS[kind].names, *([TIMELINE] if kind == "trace" else [])]
    table = pa.concat_tables(
        load(compactor.root, file, after=0, upto=NEWEST, columns=columns) for file in files
    )
    data = encode(table)
    file_id = compactor.catalogue.next_id()
    merged = FileRow(
        id=file_id,
        kind=kind,
        writer=None,
        first_rowid=None,
        last_rowid=None,
        first_batch=files[0].first_batch,
        last_batch=files[-1].last_batch,
        path=path_of(kind, file_id),
        rows=table.num_rows,
        digest=digest_of(data),
        at=at,
    )
    compactor.place(merged, data, replaces=tuple(file.id for file in files))
    return len(files)


def _neighbours(files: list[FileRow], target_rows: int, least_files: int) -> list[FileRow]:
    # only neighbours: ranges of batches must never overlap, or reads would lose their order
    group: list[FileRow] = []
    rows = 0
    for file in files:
        full = rows >= target_rows or len(group) >= MOST_FILES
        if file.rows >= target_rows or full:
            if len(group) >= least_files:
                return group
            group, rows = [], 0
        if file.rows < target_rows:
            group.append(file)
            rows += file.rows
    return group if len(group) >= least_files else []
