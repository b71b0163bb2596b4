"""A search over many passages: clustered vectors, words by Zipf's law, no embedding."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cluster.bench.rows import Row, compared, judged
from cluster.bench.runtime.timing import latencies
from engine.config.retrieval import Mode, Retrieval
from engine.workflow.chunks import Chunk
from engine.workflow.embedding import FloatArray
from engine.workflow.retrieval.dense import Dense
from engine.workflow.retrieval.hybrid import Query, searched
from engine.workflow.retrieval.store import Store, open_store, write_store

PASSAGES = 100_000
QUERIES = 500
WORDS = 60
"""Words of a passage: about 300 characters."""
VOCABULARY = 50_000
CLUSTERS = 500
DIMENSIONS = 384
SEED = 20


def measure(*, quick: bool) -> list[Row]:
    """Milliseconds of a search, and the share of the nearest that the graph finds."""
    count = PASSAGES // 4 if quick else PASSAGES
    rng = np.random.default_rng(SEED)
    centres = rng.standard_normal((CLUSTERS, DIMENSIONS), np.float32)
    vectors = _near(centres, count, rng)
    chunks = [Chunk(f"topic {n // 10}", text) for n, text in enumerate(_texts(count, rng))]
    queries = [
        Query(" ".join(chunks[n].text.split()[:8]), vector)
        for n, vector in zip(
            rng.integers(0, count, QUERIES).tolist(), _near(centres, QUERIES, rng), strict=True
        )
    ]
    with tempfile.TemporaryDirectory() as cache:
        folder = Path(cache) / "store"
        began = time.perf_counter()
        write_store(folder, chunks, vectors, graph_from=1)
        built_s = time.perf_counter() - began
        return [*_rows(open_store(folder), queries, count), _build(count, built_s)]


def _rows(store: Store, queries: Sequence[Query], count: int) -> list[Row]:
    exact = Dense(store.dense.vectors)
    rows = [row for mode in ("hybrid", "dense", "sparse") for row in _timed(store, queries, mode)]
    scan = latencies(lambda query: exact.search(_vector(query), 50), queries[:100])
    found = Row(
        id="retrieval-recall",
        what="of the 10 nearest, those that the graph finds",
        value=recall(exact, store.dense, queries),
        unit="",
    )
    named = [row.model_copy(update={"what": f"{row.what} over {count} passages"}) for row in rows]
    return [
        compared(row, scan.wall(0.99)) if row.id == "retrieval-dense-p99" else row for row in named
    ] + [found]


def _timed(store: Store, queries: Sequence[Query], mode: Mode) -> list[Row]:
    settings = Retrieval(mode=mode)

    def search(query: Query) -> None:
        searched(store, [query], settings)

    latencies(search, queries[:20])
    took = latencies(search, queries)
    goal = "< 30" if mode == "hybrid" else None
    p99 = Row(
        id=f"retrieval-{mode}-p99",
        what=f"p99 of a {mode} search",
        value=took.wall(0.99),
        unit="ms",
        goal=goal,
    )
    own = Row(
        id=f"retrieval-{mode}-own-p99",
        what=f"p99 of a {mode} search, this thread's own time,",
        value=took.own(0.99),
        unit="ms",
    )
    return [judged(p99), own]


def recall(exact: Dense, graph: Dense, queries: Sequence[Query]) -> float:
    """The share of the ten nearest that the graph finds, too."""
    shared = [
        len(
            {hit.row for hit in exact.search(_vector(query), 10)}
            & {hit.row for hit in graph.search(_vector(query), 10)}
        )
        for query in queries
    ]
    return float(np.mean(shared)) / 10.0


def _vector(query: Query) -> FloatArray:
    assert query.vector is not None
    return query.vector


def _near(centres: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    noise = rng.standard_normal((count, DIMENSIONS), np.float32)
    vectors = centres[rng.integers(0, CLUSTERS, count)] + noise
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _texts(count: int, rng: np.random.Generator) -> list[str]:
    chances = 1.0 / np.arange(1, VOCABULARY + 1)
    drawn = rng.choice(VOCABULARY, size=(count, WORDS), p=chances / chances.sum())
    return [" ".join(f"w{word}" for word in row) for row in drawn.tolist()]


def _build(count: int, built_s: float) -> Row:
    return Row(
        id="retrieval-build", what=f"building over {count} passages", value=built_s, unit="s"
    )
