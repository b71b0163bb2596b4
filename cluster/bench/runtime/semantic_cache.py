"""A look-up in a full semantic cache: its time, and what an exact search would find more."""

import numpy as np

from cluster.bench.rows import Row, compared, judged
from cluster.bench.runtime.timing import latencies
from engine.workflow.caching.guards import difference
from engine.workflow.caching.rows import Rows
from engine.workflow.caching.wording import wording
from engine.workflow.embedding import FloatArray

ENTRIES = 100_000
DIMENSION = 384
TOPICS = 1_000
SCOPE = 1
THRESHOLD = 0.95
SEED = 0


def measure(*, quick: bool) -> list[Row]:
    """Milliseconds among 100 000 entries, without the embedding."""
    rng = np.random.default_rng(SEED)
    vectors = clustered(rng, ENTRIES)
    queries = asked(rng, vectors, 500 if quick else 2_000)
    table = _filled(vectors)
    look = latencies(lambda query: table.near(query, SCOPE, 0.0), queries)
    exact = latencies(lambda query: vectors @ query, queries[:100])
    shares = recall(table, vectors, queries)
    insert = latencies(lambda query: table.add(query, SCOPE, 1e9, 0.0), queries)
    alike = _alike(rng, vectors[0])
    crowd = _filled(alike)
    worst = latencies(lambda query: crowd.near(query, SCOPE, 0.0), alike[:300])
    other = wording("How do I sort a list in Python?")
    questions = [f"How do I sort the {n} lists of order {n} in Python?" for n in range(1_000)]
    guard = latencies(lambda question: difference(wording(question), other), questions)
    name = f"a look-up among {ENTRIES} entries"
    p99 = _ms("p99", f"p99 of {name}, to an exact product's", look.wall(0.99), "< 5")
    return [
        compared(p99, exact.wall(0.99)),
        _ms("own-p99", f"p99 of {name}, this thread's own time", look.own(0.99)),
        judged(
            Row(
                id="semantic-cache-recall",
                what=f"of what an exact search finds at {THRESHOLD}",
                value=shares,
                unit="",
                goal=">= 0.99",
            )
        ),
        _ms("crowd", f"p99 of {name} that are all near", worst.wall(0.99)),
        _ms("insertion", "p99 of an insertion into a full table", insert.wall(0.99)),
        _ms("guard", "p99 of reading a question and comparing it", guard.wall(0.99)),
    ]


def clustered(rng: np.random.Generator, count: int) -> FloatArray:
    """Unit vectors in topics, as questions are: mates of a topic are at a cosine near .5."""
    topics = rng.standard_normal((TOPICS, DIMENSION), np.float32)
    return _unit(topics[rng.integers(0, TOPICS, count)] + _noise(rng, count))


def asked(rng: np.random.Generator, vectors: FloatArray, count: int) -> FloatArray:
    """Half of them at a cosine of .95 to 1 to a kept vector, half of them new."""
    near = vectors[rng.integers(0, len(vectors), count)]
    aside = _noise(rng, count)
    aside = _unit(aside - np.sum(aside * near, axis=1, keepdims=True) * near)
    cosines = rng.uniform(THRESHOLD, 1.0, (count, 1)).astype(np.float32)
    queries = cosines * near + np.sqrt(1.0 - cosines**2) * aside
    queries[count // 2 :] = clustered(rng, count - count // 2)
    return np.asarray(queries, np.float32)


def recall(table: Rows, vectors: FloatArray, queries: FloatArray) -> float:
    """The share of the rows at or above the threshold that look-ups find."""
    found = wanted = 0
    for query in queries:
        exact = set(np.flatnonzero(vectors @ query >= THRESHOLD).tolist())
        found += len(exact & {near.row for near in table.near(query, SCOPE, 0.0)})
        wanted += len(exact)
    return found / wanted


def _alike(rng: np.random.Generator, vector: FloatArray) -> FloatArray:
    return _unit(vector + np.float32(0.005) * _noise(rng, ENTRIES))


def _noise(rng: np.random.Generator, count: int) -> FloatArray:
    return rng.standard_normal((count, DIMENSION), np.float32)


def _unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def _filled(vectors: FloatArray) -> Rows:
    table = Rows(ENTRIES, DIMENSION, THRESHOLD)
    for vector in vectors:
        table.add(vector, SCOPE, 1e9, 0.0)
    return table


def _ms(id_: str, what: str, value: float, goal: str | None = None) -> Row:
    row = Row(id=f"semantic-cache-{id_}", what=what, value=value, unit="ms", goal=goal)
    return judged(row)
