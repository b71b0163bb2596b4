"""Measures retrieval over many passages: clustered vectors, words by Zipf's law, one thread.

Run as `OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python -m tests.bench.retrieval [PASSAGES]`.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from engine.config.retrieval import Retrieval
from engine.workflow.chunks import Chunk
from engine.workflow.retrieval.dense import Dense
from engine.workflow.retrieval.hybrid import Query, searched
from engine.workflow.retrieval.store import open_store, write_store

QUERIES = 500
WORDS = 60
"""Words of a passage: about 300 characters."""
VOCABULARY = 50_000
CLUSTERS = 500
DIMENSIONS = 384


def measure(passages: int = 100_000) -> list[dict]:
    """Milliseconds of a search, without the embedding, and the graph's recall."""
    rng = np.random.default_rng(20)
    centres = rng.standard_normal((CLUSTERS, DIMENSIONS), dtype=np.float32)
    vectors = _near(centres, passages, rng)
    chunks = [Chunk(f"topic {n // 10}", text) for n, text in enumerate(_texts(passages, rng))]
    queries = [
        Query(" ".join(chunk.text.split()[:8]), vector)
        for chunk, vector in zip(_texts_of(chunks, rng), _near(centres, QUERIES, rng), strict=True)
    ]
    with tempfile.TemporaryDirectory() as cache:
        _, built = _timed(lambda: write_store(Path(cache) / "store", chunks, vectors, graph_from=1))
        store, opened = _timed(lambda: open_store(Path(cache) / "store"))
        exact = Dense(store.dense.vectors)
        found = [
            {
                "what": f"{mode} over {passages} passages",
                **_milliseconds(lambda q, how=how: searched(store, [q], how), queries),
            }
            for mode in ("dense", "sparse", "hybrid")
            for how in [Retrieval(mode=mode)]
        ]
        found += [
            {
                "what": f"dense without the graph over {passages} passages",
                **_milliseconds(lambda q: exact.search(q.vector, 50), queries),
            },
            {"what": "graph", "recall_at_10": _recall(exact, store.dense, queries)},
            {"what": "index", "build_s": round(built, 1), "open_ms": round(1e3 * opened, 1)},
        ]
    return found


def _near(centres, count, rng):
    noise = rng.standard_normal((count, DIMENSIONS), dtype=np.float32)
    vectors = centres[rng.integers(0, CLUSTERS, count)] + noise
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _texts(count, rng):
    chances = 1.0 / np.arange(1, VOCABULARY + 1)
    drawn = rng.choice(VOCABULARY, size=(count, WORDS), p=chances / chances.sum())
    return [" ".join(f"w{word}" for word in row) for row in drawn.tolist()]


def _texts_of(chunks, rng):
    return [chunks[n] for n in rng.integers(0, len(chunks), QUERIES)]


def _timed(action):
    began = time.perf_counter()
    return action(), time.perf_counter() - began


def _milliseconds(search, queries):
    for query in queries[:20]:
        search(query)
    took = [1e3 * _timed(lambda query=query: search(query))[1] for query in queries]
    p50, p99 = np.percentile(took, [50, 99])
    return {"queries": len(queries), "p50_ms": round(p50, 2), "p99_ms": round(p99, 2)}


def _recall(exact, graph, queries):
    shared = [
        len(
            {hit.row for hit in exact.search(query.vector, 10)}
            & {hit.row for hit in graph.search(query.vector, 10)}
        )
        for query in queries
    ]
    return round(float(np.mean(shared)) / 10, 4)


if __name__ == "__main__":
    for line in measure(*map(int, sys.argv[1:])):
        print(json.dumps(line))  # noqa: T201
