"""What an operator may write about finding passages."""

from typing import Literal

from pydantic import Field

from engine.config.frozen import Frozen

Chunker = Literal["borders", "tokens", "sentences", "markdown"]
Mode = Literal["dense", "sparse", "hybrid"]
Reranker = Literal["none", "lexical", "mmr", "cross-encoder"]


class Chunking(Frozen):
    """How texts are cut into passages; every change makes an index of its own."""

    chunker: Chunker = "borders"
    chars: int = Field(300, ge=100, le=4_000)
    """The most characters of a passage, for every chunker but `tokens`."""
    tokens: int = Field(128, ge=16, le=2_048)
    """The most tokens of a passage, by the encoder's own tokenizer, for `tokens`."""
    sentences: int = Field(5, ge=1, le=100)
    """The most sentences of a passage, for `sentences`."""
    overlap: float = Field(0.0, ge=0.0, le=0.5)
    """The part of a passage that the next one repeats; `borders` never repeats."""


class Fusion(Frozen):
    """How lists of passages become one, by reciprocal rank."""

    k: int = Field(60, ge=1, le=1_000)
    """How little the first ranks stand out."""
    dense_weight: float = Field(1.0, ge=0.0, le=10.0)
    sparse_weight: float = Field(1.0, ge=0.0, le=10.0)
    deduplicate: bool = True
    """Of passages with the same words, keep the best."""


class Reranking(Frozen):
    """A second ordering of what was found."""

    method: Reranker = "none"
    """By shared words, by how much each adds to those before it, or by a model that reads both."""
    relevance: float = Field(0.7, ge=0.0, le=1.0)
    """For `mmr`: how much nearness to the question counts; the rest is newness."""
    model: str | None = None
    """For `cross-encoder`: the folder that holds it; never fetched."""


class Rewriting(Frozen):
    """What is asked of the index instead of the question as it stands."""

    follow_ups: Literal["none", "heuristic", "model"] = "none"
    """How a question that leans on earlier turns is made to stand alone."""
    queries: int = Field(1, ge=1, le=8)
    """Ways of asking, the question itself included; more than one asks the cheap model."""


class Retrieval(Frozen):
    """Where passages come from and how the best are found."""

    corpus: str = Field("python-reference", pattern=r"^(python-reference|folder:.+)$")
    """`python-reference`, or `folder:PATH` for a folder of texts."""
    mode: Mode = "dense"
    """By meaning, by words, or by both."""
    top_k: int = Field(4, ge=1, le=50)
    depth: int = Field(50, ge=1, le=1_000)
    """Passages that each list gives to fusion and reranking; `top_k` at least."""
    chunking: Chunking = Chunking()
    fusion: Fusion = Fusion()
    rerank: Reranking = Reranking()
    rewrite: Rewriting = Rewriting()
