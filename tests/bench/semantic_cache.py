"""Measures a look-up in a full semantic cache: its time, and what an exact search would find more.

Run it as `OMP_NUM_THREADS=1 python -m tests.bench.semantic_cache`.
"""

import json
import time

import numpy as np

from engine.workflow.caching.guards import difference
from engine.workflow.caching.rows import Rows
from engine.workflow.caching.wording import wording

ENTRIES = 100_000
DIMENSION = 384
SCOPE = 1
THRESHOLD = 0.95
LOOKUPS = 2_000


def clustered(generator, count):
    """Unit vectors in topics, as questions are: a vector's topic mates are at a cosine near .5."""
    topics = generator.standard_normal((1_000, DIMENSION)).astype(np.float32)
    vectors = topics[generator.integers(0, len(topics), count)]
    vectors += generator.standard_normal((count, DIMENSION)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def asked(generator, vectors, count):
    """Half of them near a kept vector (cosine .95 to 1), half of them new."""
    near = vectors[generator.integers(0, len(vectors), count)]
    aside = generator.standard_normal((count, DIMENSION)).astype(np.float32)
    aside -= np.sum(aside * near, axis=1, keepdims=True) * near
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    cosines = generator.uniform(0.95, 1.0, (count, 1)).astype(np.float32)
    queries = cosines * near + np.sqrt(1 - cosines**2) * aside
    queries[count // 2 :] = clustered(generator, count - count // 2)
    return queries


def timed(call, arguments):
    """Wall time, and this thread's own: on a machine that others load, the second is the work."""
    wall, own = [], []
    for argument in arguments:
        began, own_began = time.perf_counter(), time.thread_time()
        call(argument)
        wall.append(time.perf_counter() - began)
        own.append(time.thread_time() - own_began)
    kinds = {"": wall, "own_": own}
    return {
        f"{kind}p{q}_ms": round(float(np.percentile(seconds, q)) * 1e3, 3)
        for kind, seconds in kinds.items()
        for q in (50, 99)
    }


def measure():
    generator = np.random.default_rng(0)
    vectors = clustered(generator, ENTRIES)
    queries = asked(generator, vectors, LOOKUPS)
    rows = Rows(ENTRIES, DIMENSION, THRESHOLD)
    filling = timed(lambda vector: rows.add(vector, SCOPE, 1e9, 0.0), vectors)
    look = timed(lambda query: rows.near(query, SCOPE, 0.0), queries)
    exact = timed(lambda query: vectors @ query, queries[:100])
    found = [{near.row for near in rows.near(query, SCOPE, 0.0)} for query in queries]
    wanted = [set(np.flatnonzero(vectors @ query >= THRESHOLD).tolist()) for query in queries]
    total = sum(len(each) for each in wanted)
    recall = sum(len(a & b) for a, b in zip(found, wanted, strict=True)) / total
    crowd = Rows(ENTRIES, DIMENSION, THRESHOLD)
    alike = np.tile(vectors[:1], (ENTRIES, 1)) + generator.normal(0, 0.005, vectors.shape)
    alike = (alike / np.linalg.norm(alike, axis=1, keepdims=True)).astype(np.float32)
    for vector in alike:
        crowd.add(vector, SCOPE, 1e9, 0.0)
    worst = timed(lambda query: crowd.near(query, SCOPE, 0.0), alike[:300])
    full = timed(lambda vector: rows.add(vector, SCOPE, 1e9, 0.0), queries)
    questions = [f"How do I sort the {n} lists of order {n} in Python?" for n in range(2_000)]
    other = wording("How do I sort a list in Python?")
    guard = timed(lambda question: difference(wording(question), other), questions)
    return [
        {"what": "look-up among 100 000", **look, "recall": round(recall, 5), "goal_p99_ms": 5.0},
        {"what": "exact float32 product, for comparison", **exact},
        {"what": "look-up where all 100 000 are near", **worst},
        {"what": "insertion", **filling},
        {"what": "insertion into a full table", **full},
        {"what": "reading a question and comparing it", **guard},
    ]


if __name__ == "__main__":
    for row in measure():
        print(json.dumps(row))  # noqa: T201
