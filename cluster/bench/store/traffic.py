"""Traces as a day's traffic would leave them, by the million."""

import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engine.books.catalogue import FileRow
from engine.books.compactor import Compactor, path_of
from engine.books.parquet import digest_of, encode
from engine.evidence.records import SCHEMAS, Kind

NODES = ("plan", "retrieve", "rerank", "answer", "review")
SEGMENTS = ("how-to", "comparison", "arithmetic", "chat")
VARIANTS = ("1f0c8a52b6e94d37", "9b3d7e2041ca85f6", "c7a1905be2d4683f")
Floats = npt.NDArray[np.float64]
Fact = tuple[Kind, dict[str, Any]]

PER_FILE = 100_000
"""Requests in one file, about what merging leaves."""
RATED = 20
"""One request in so many is rated."""


def fill(root: Path, requests: int, *, now: float, length_s: float, seed: int = 1) -> int:
    """Put this many requests into a store, their times even over the last `length_s`.

    They go in as finished files, as the compactor would have left them.
    """
    compactor = Compactor(root)
    dice = np.random.default_rng(seed)
    size = 0
    try:
        for first in range(0, requests, PER_FILE):
            count = min(PER_FILE, requests - first)
            at = now - length_s + length_s * (first + np.arange(count)) / requests
            for kind, table in tables(dice, at):
                size += _placed(compactor, kind, table, now)
        compactor.catalogue.settle(now)
    finally:
        compactor.close()
    return size


def facts(requests: int, seed: int = 1) -> list[tuple[Fact, Fact]]:
    """An exposure and a trace for each of so many requests, as a gateway hands them over."""
    drawn = dict(tables(np.random.default_rng(seed), np.full(requests, time.time())))
    exposures, traces = (drawn[kind].to_pylist() for kind in ("exposure", "trace"))
    return [
        (("exposure", exposure), ("trace", trace))
        for exposure, trace in zip(exposures, traces, strict=True)
    ]


def tables(dice: np.random.Generator, at: Floats) -> Iterator[tuple[Kind, pa.Table]]:
    """The exposures, traces and feedback of requests that ended at these times."""
    count = len(at)
    ids = [dice.bytes(16).hex() for _ in range(count)]
    lengths_s = dice.lognormal(-1.5, 0.8, (count, len(NODES)))
    failed = dice.random(count) < 0.01
    traces = {
        "trace_id": ids,
        "at": at,
        "workflow": ["docs"] * count,
        "variant": [VARIANTS[one] for one in dice.choice(3, count, p=(0.8, 0.1, 0.1))],
        "duration_s": lengths_s.sum(axis=1) + 0.002,
        "overhead_s": dice.random(count) / 500,
        "status": np.where(failed, "error", "ok").tolist(),
        "error": np.where(failed, "upstream_status", "").tolist(),
        "segment": [SEGMENTS[one] for one in dice.integers(0, 4, count)],
        "model": ["small"] * count,
        "input_tokens": dice.integers(50, 4_000, count),
        "output_tokens": dice.integers(5, 800, count),
        "cost_usd": dice.random(count) / 100,
        "cache_hit": dice.random(count) < 0.2,
        "spans": _spans(dice, lengths_s),
        "writer": ["4711-5eed"] * count,
    }
    kept = ("trace_id", "at", "workflow", "variant", "segment", "writer")
    exposures = {name: traces[name] for name in kept} | {
        "unit_id": [dice.bytes(16).hex() for _ in range(count)],
        "version": np.full(count, 3),
        "bucket": dice.integers(0, 1_000_000, count, dtype=np.int32),
        "served": traces["variant"],
        "forced": np.zeros(count, dtype=bool),
    }
    rated = np.arange(0, count, RATED)
    feedback = {
        "key": [f"k{ids[one]}" for one in rated],
        "at": at[rated] + 5.0,
        "trace_id": [ids[one] for one in rated],
        "metric": ["quality"] * len(rated),
        "score": dice.integers(6, 11, len(rated)) / 10,
    }
    yield "exposure", _table("exposure", exposures, count)
    yield "trace", _table("trace", traces, count)
    yield "feedback", _table("feedback", feedback, len(rated))


def _spans(dice: np.random.Generator, lengths_s: Floats) -> list[str]:
    """Lists of spans as the workflow writes them, each with its own times and tokens."""
    starts = np.cumsum(lengths_s, axis=1) - lengths_s
    tokens = dice.integers(50, 4_000, lengths_s.shape)
    failing = np.where(dice.random(len(lengths_s)) < 0.02, dice.integers(0, 5, len(lengths_s)), -1)
    return [
        _SPANS[place] % tuple(chain.from_iterable(zip(*row, strict=True)))
        for place, *row in zip(
            failing.tolist(),
            np.round(starts, 6).tolist(),
            np.round(lengths_s, 6).tolist(),
            tokens.tolist(),
            strict=True,
        )
    ]


def _template(failing: int) -> str:
    listed = [
        f'{{"node":"{node}","kind":"llm","start_s":%s,"duration_s":%s,'
        f'"status":"{"error" if place == failing else "ok"}","input_tokens":%s}}'
        for place, node in enumerate(NODES)
    ]
    return f"[{','.join(listed)}]"


_SPANS = {failing: _template(failing) for failing in range(-1, len(NODES))}


def _table(kind: Kind, columns: dict[str, Any], count: int) -> pa.Table:
    return pa.Table.from_arrays(
        [
            pa.array(columns[field.name], field.type)
            if field.name in columns
            else pa.nulls(count, field.type)
            for field in SCHEMAS[kind]
        ],
        schema=SCHEMAS[kind],
    )


def _placed(compactor: Compactor, kind: Kind, table: pa.Table, at: float) -> int:
    data = encode(table)
    file_id = compactor.catalogue.next_id()
    compactor.place(
        FileRow(
            id=file_id,
            kind=kind,
            writer=None,
            first_rowid=None,
            last_rowid=None,
            first_batch=file_id,
            last_batch=file_id,
            path=path_of(kind, file_id),
            rows=table.num_rows,
            digest=digest_of(data),
            at=at,
        ),
        data,
    )
    return len(data)
