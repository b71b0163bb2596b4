"""The passages of an index, mapped into memory row by row."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from engine.workflow.chunks import Chunk

ROWS = 4_096
"""Rows of one batch in the file."""


def write_passages(file: Path, chunks: Sequence[Chunk]) -> None:
    """Save the passages as an Arrow file."""
    schema = pa.schema([("topic", pa.string()), ("text", pa.string())])
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for start in range(0, len(chunks), ROWS):
            part = chunks[start : start + ROWS]
            columns = [[chunk.topic for chunk in part], [chunk.text for chunk in part]]
            writer.write_batch(pa.record_batch(columns, schema=schema))


class Passages:
    """Reads only the rows that are asked for."""

    def __init__(self, file: Path) -> None:
        with pa.memory_map(str(file)) as source:
            self._batches = _batches(pa.ipc.open_file(source))
        self._rows: int = sum(batch.num_rows for batch in self._batches)

    def __len__(self) -> int:
        return self._rows

    def __getitem__(self, row: int) -> Chunk:
        batch = self._batches[row // ROWS]
        topic, text = (batch.column(n)[row % ROWS].as_py() for n in range(2))
        return Chunk(topic, text)


def _batches(reader: pa.ipc.RecordBatchFileReader) -> list[pa.RecordBatch]:
    return [reader.get_batch(n) for n in range(reader.num_record_batches)]
