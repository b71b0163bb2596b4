"""Orders what was found once more, before the best of it is read."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np

from engine.config.retrieval import Reranking
from engine.errors import ConfigError
from engine.workflow.chunks import Hit
from engine.workflow.embedding import FloatArray
from engine.workflow.rerank import reranked
from engine.workflow.retrieval.hybrid import Query
from engine.workflow.retrieval.ranked import Ranked
from engine.workflow.retrieval.store import Store

Scores = Callable[[Sequence[tuple[str, str]]], FloatArray]
"""How well each passage answers its question, by a model; blocks while it works."""

Files = tuple[tuple[str, int], ...]
"""A folder's files and when they were changed, in nanoseconds."""

WHERE = "retrieval.rerank.model"
MOST_LOADED = 2
"""Models that are kept for variants still to come; one in use is kept by who uses it."""


class Rerank(Protocol):
    """Gives the best `k` of what was found, best first."""

    def __call__(self, query: Query, found: Sequence[Ranked], store: Store, k: int) -> list[Hit]:
        """Order by this way; the query has a vector where its mode needs one."""
        ...


def rerank_of(settings: Reranking) -> Rerank:
    """The way of ordering that the settings name.

    Raises:
        ConfigError: A model is needed that is not on this machine.
    """
    match settings.method:
        case "none":
            return lambda _, found, store, k: _hits(found[:k], store)
        case "lexical":
            return lambda query, found, store, k: reranked(query.text, _hits(found, store), k)
        case "mmr":
            return Marginal(settings.relevance)
        case "cross-encoder":
            return CrossEncoder(settings.model)


class Marginal:
    """By maximal marginal relevance: near to the question, and unlike what is taken already.

    Carbonell and Goldstein 1998; both nearnesses are cosines of the passages' own vectors.
    """

    def __init__(self, relevance: float) -> None:
        self._relevance = relevance

    def __call__(self, query: Query, found: Sequence[Ranked], store: Store, k: int) -> list[Hit]:
        """Take the best of the rest, `k` times; of equal ones the one found earlier."""
        if not found:
            return []
        vectors = store.dense.vectors[[hit.row for hit in found]]
        # Without the question's vector the best that was found stands for it.
        near = vectors @ (vectors[0] if query.vector is None else query.vector)
        alike = np.full(len(found), -1.0, dtype=np.float32)
        taken: list[Ranked] = []
        left = np.ones(len(found), dtype=bool)
        for _ in range(min(k, len(found))):
            known = alike if taken else np.zeros_like(alike)
            worth = self._relevance * near - (1.0 - self._relevance) * known
            n = int(np.argmax(np.where(left, worth, -np.inf)))
            taken.append(Ranked(found[n].row, float(worth[n])))
            left[n] = False
            alike = np.maximum(alike, vectors @ vectors[n])
        return _hits(taken, store)


class CrossEncoder:
    """By a model that reads the question and a passage together; read from disk only.

    Variants that name the same folder share one model. One that is seated keeps the model that it
    began with, whatever becomes of the folder: otherwise it would be another variant.
    """

    def __init__(self, model: str | None) -> None:
        """Load the model, unless another variant has.

        Raises:
            ConfigError: No folder is named, or it holds no such model.
        """
        if model is None:
            raise ConfigError(f"{WHERE}: `cross-encoder` needs one; write the path of its folder")
        folder = Path(model).expanduser()
        if not (folder / "config.json").is_file():
            raise ConfigError(f"{WHERE}: {model} holds no config.json; write a model's folder")
        self._scores = _scores_of(str(folder), _files_of(folder))

    def __call__(self, query: Query, found: Sequence[Ranked], store: Store, k: int) -> list[Hit]:
        """Order by what the model says of each pair; of equal ones the one found earlier."""
        if not found:
            return []
        scores = self._scores([(query.text, store.passages[hit.row].text) for hit in found])
        order = np.argsort(-scores, kind="stable")[:k]
        return _hits([Ranked(found[n].row, float(scores[n])) for n in order], store)


@lru_cache(maxsize=MOST_LOADED)
def _scores_of(folder: str, files: Files) -> Scores:
    """The model of a folder with these files, ready to score pairs."""
    import sentence_transformers

    try:
        model = sentence_transformers.CrossEncoder(folder, device="cpu", local_files_only=True)
    except Exception as error:  # the library raises nothing more precise
        raise ConfigError(f"{WHERE}: {folder} can't be loaded: {error}") from error
    # Its tokenizer can't be used by two threads at once, and a CPU gains nothing from two.
    alone = Lock()

    def scores(pairs: Sequence[tuple[str, str]]) -> FloatArray:
        with alone:
            said = model.predict(list(pairs), show_progress_bar=False)
        return np.asarray(said, dtype=np.float32).reshape(-1)

    return scores


def _files_of(folder: Path) -> Files:
    return tuple(sorted((file.name, file.stat().st_mtime_ns) for file in folder.iterdir()))


def _hits(ranked: Sequence[Ranked], store: Store) -> list[Hit]:
    return [Hit(store.passages[row], score) for row, score in ranked]
