"""Orders chunks by the words they share with a question."""

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from engine.workflow.chunks import Hit
from engine.workflow.words import terms

K1 = 1.2
B = 0.75
LEXICAL = 0.5
"""How much of the final order comes from words; the rest stays with the dense order."""


def reranked(question: str, hits: Sequence[Hit], k: int) -> list[Hit]:
    """The best `k` of these hits by words and meaning together, best first.

    Words count by BM25 (Robertson and Zaragoza 2009, eq. 3.15) with document frequencies taken
    among the hits; both scores are brought to [0, 1] before they are added.
    """
    lexical = _bm25(frozenset(terms(question)), [_counts(hit.chunk.text) for hit in hits])
    dense = [hit.score for hit in hits]
    mixed = [
        LEXICAL * word + (1.0 - LEXICAL) * near
        for word, near in zip(_unit(lexical), _unit(dense), strict=True)
    ]
    order = sorted(range(len(hits)), key=lambda i: (-mixed[i], i))
    return [Hit(hits[i].chunk, mixed[i]) for i in order[:k]]


def _bm25(question: frozenset[str], documents: Sequence[Counter[str]]) -> list[float]:
    lengths = [document.total() for document in documents]
    mean = max(1.0, sum(lengths) / max(1, len(lengths)))
    found = {term: sum(term in document for document in documents) for term in question}
    idf = {
        term: math.log(1.0 + (len(documents) - n + 0.5) / (n + 0.5)) for term, n in found.items()
    }
    return [
        sum(
            idf[term] * count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length / mean))
            for term in question
            if (count := document[term])
        )
        for document, length in zip(documents, lengths, strict=True)
    ]


@lru_cache(maxsize=4_096)
def _counts(text: str) -> Counter[str]:
    return Counter(terms(text))


def _unit(scores: Sequence[float]) -> list[float]:
    low, high = min(scores, default=0.0), max(scores, default=0.0)
    return [(score - low) / (high - low) if high > low else 0.0 for score in scores]
