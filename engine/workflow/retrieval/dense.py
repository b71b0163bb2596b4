"""Finds passages by meaning: exactly among many, by a graph of neighbours among very many."""

from pathlib import Path
from typing import Any

import numpy as np
from usearch.index import Index

from engine.workflow.embedding import FloatArray
from engine.workflow.retrieval.ranked import Ranked, best

BLOCK = 512
"""Rows multiplied at once: few enough that the linear algebra library starts no threads for them,
which costs milliseconds where cores are busy."""
GRAPH_FROM = 20_000
"""Rows from which a graph is built. Below, comparing with each takes a millisecond; above, it waits
for memory that busy neighbours want too, which was measured to take a hundred at 100 000 rows."""

CONNECTIVITY = 16
WIDTH_BUILD = 128
WIDTH_SEARCH = 128
"""How many neighbours are followed; at these, no more than one of a hundred is missed."""

ROUGHLY = 4
"""The graph holds rough vectors, so it proposes this many times what is asked for; the exact
vectors decide among them."""


def write_graph(file: Path, vectors: FloatArray) -> None:
    """Build and save the graph of neighbours."""
    graph = Index(
        ndim=vectors.shape[1],
        metric="ip",
        dtype="f16",
        connectivity=CONNECTIVITY,
        expansion_add=WIDTH_BUILD,
    )
    graph.add(np.arange(len(vectors)), vectors, threads=1)
    graph.save(str(file))


class Dense:
    """Unit-norm vectors, row by row."""

    def __init__(self, vectors: FloatArray, graph: Path | None = None) -> None:
        """With the file of a graph it is asked first."""
        self.vectors = vectors
        self._graph = (
            None
            if graph is None
            else Index(
                ndim=vectors.shape[1],
                metric="ip",
                dtype="f16",
                expansion_search=WIDTH_SEARCH,
                path=graph,
                view=True,
            )
        )

    def search(self, vector: FloatArray, k: int) -> list[Ranked]:
        """The `k` nearest by cosine, best first; of equal ones the lower row comes first."""
        if self._graph is not None:
            return self._proposed(self._graph, vector, k)
        rows = range(0, len(self.vectors), BLOCK)
        scores = [self.vectors[row : row + BLOCK] @ vector for row in rows]
        return best(np.concatenate(scores), k) if scores else []

    def _proposed(self, graph: Index, vector: FloatArray, k: int) -> list[Ranked]:
        found: Any = graph.search(vector, ROUGHLY * k, threads=1)
        rows = np.sort(found.keys.astype(np.int64))
        return [
            Ranked(int(rows[ranked.row]), ranked.score)
            for ranked in best(self.vectors[rows] @ vector, k)
        ]
