"""Finds passages by the words they share with a question."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bm25s import BM25  # type: ignore[import-untyped]  # it ships no types
from bm25s.tokenization import Tokenized  # type: ignore[import-untyped]  # it ships no types

from engine.workflow.embedding import FloatArray
from engine.workflow.rerank import K1, B
from engine.workflow.retrieval.ranked import Ranked, best
from engine.workflow.words import terms

SPLITTING = "terms-1"
"""Names the way that texts become terms; part of an index's key."""


def write_sparse(folder: Path, texts: Iterable[str]) -> None:
    """Score every term in every text by BM25, and save the scores to be mapped into memory."""
    vocabulary: dict[str, int] = {}
    ids = [[vocabulary.setdefault(term, len(vocabulary)) for term in terms(text)] for text in texts]
    if not vocabulary:
        # The library divides by the mean length, so one text gets a term that nobody asks for.
        ids[0].append(vocabulary.setdefault("", 0))
    scored = BM25(k1=K1, b=B, method="lucene")
    scored.index(Tokenized(ids, vocabulary), show_progress=False)
    scored.save(folder, show_progress=False)


class Sparse:
    """The BM25 scores of every term in every passage."""

    def __init__(self, folder: Path) -> None:
        self._scored = BM25.load(folder, mmap=True)
        self._vocabulary: dict[str, int] = self._scored.vocab_dict

    def search(self, question: str, k: int) -> list[Ranked]:
        """The best `k` passages that hold any of the question's terms, best first."""
        known = self._known(terms(question))
        if not known:
            return []
        scores: FloatArray = self._scored.get_scores_from_ids(known)
        return [ranked for ranked in best(scores, k) if ranked.score > 0.0]

    def _known(self, wanted: Sequence[str]) -> list[int]:
        # Once each: a term that a question repeats says nothing more.
        found = (self._vocabulary.get(term) for term in dict.fromkeys(wanted))
        return [term for term in found if term is not None]
