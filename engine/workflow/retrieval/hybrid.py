"""Searches an index in several ways and for several questions, and makes one list of it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from engine.config.retrieval import Fusion, Retrieval
from engine.workflow.embedding import FloatArray
from engine.workflow.retrieval.passages import Passages
from engine.workflow.retrieval.ranked import Ranked
from engine.workflow.retrieval.store import Store


class Query(NamedTuple):
    """One way of asking; without a vector only its words are searched."""

    text: str
    vector: FloatArray | None


class Listed(NamedTuple):
    """One list to be fused, and how much it counts."""

    rows: Sequence[int]
    weight: float


def searched(
    store: Store, queries: Sequence[Query], settings: Retrieval, top_k: int = 1
) -> list[Ranked]:
    """The best `depth` passages for all the queries together, or `top_k` if more, best first.

    A single list keeps its own scores; several are fused by their ranks.
    """
    depth = max(settings.depth, top_k)
    found: list[tuple[list[Ranked], float]] = []
    for query in queries:
        if settings.mode != "sparse" and query.vector is not None:
            found.append((store.dense.search(query.vector, depth), settings.fusion.dense_weight))
        if settings.mode != "dense":
            found.append((store.sparse.search(query.text, depth), settings.fusion.sparse_weight))
    if len(found) == 1:
        ranked = found[0][0]
    else:
        lists = [Listed([hit.row for hit in hits], weight) for hits, weight in found]
        ranked = fused(lists, settings.fusion)
    if settings.fusion.deduplicate:
        ranked = list(_distinct(ranked, store.passages))
    return ranked[:depth]


def fused(lists: Iterable[Listed], fusion: Fusion) -> list[Ranked]:
    """Every row of the lists by the sum of its weighted reciprocal ranks, best first.

    Each list adds weight / (k + rank) (Cormack, Clarke and Büttcher 2009), so the lists' scores
    need not be comparable. Of equal rows the lower comes first.
    """
    scores: defaultdict[int, float] = defaultdict(float)
    for listed in lists:
        for rank, row in enumerate(listed.rows, 1):
            scores[row] += listed.weight / (fusion.k + rank)
    order = sorted(scores, key=lambda row: (-scores[row], row))
    return [Ranked(row, scores[row]) for row in order if scores[row] > 0.0]


def _distinct(ranked: Iterable[Ranked], passages: Passages) -> Iterable[Ranked]:
    seen: set[str] = set()
    for hit in ranked:
        words = " ".join(passages[hit.row].text.casefold().split())
        if words not in seen:
            seen.add(words)
            yield hit
