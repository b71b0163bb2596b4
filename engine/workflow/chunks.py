"""Cuts a text into pieces small enough to be found and read one by one."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

CHUNKING = "borders-1"
"""Names the way of cutting; part of every index's key."""

_BORDERS = (
    re.compile(r"\n[ \t]*\n"),
    re.compile(r"(?<=[.!?:;])\s+|\n(?=\s*(?:\*|-|\+|\||>>>|\d+\.)\s)"),
    re.compile(r"\s"),
)
"""Where a text may be cut, best first: a paragraph's end, a sentence's or item's end, a space."""


class Chunk(NamedTuple):
    """A piece of one topic's text."""

    topic: str
    text: str


class Hit(NamedTuple):
    """A chunk that was found, and how near it is."""

    chunk: Chunk
    score: float


def chunked(corpus: Mapping[str, str], chunk_chars: int) -> tuple[Chunk, ...]:
    """Every topic's text in pieces of at most `chunk_chars` characters, in order."""
    return tuple(
        Chunk(topic, piece) for topic, text in corpus.items() for piece in pieces(text, chunk_chars)
    )


def pieces(text: str, chunk_chars: int) -> Iterator[str]:
    """The text in pieces of at most `chunk_chars` characters; only white space is lost.

    A piece ends at the last paragraph in its second half, else at the last sentence, else at a
    space, and inside a word only where the word alone is longer than a piece.
    """
    start = 0
    while start < len(text):
        end = _cut(text, start, start + chunk_chars)
        piece = text[start:end].strip("\n").rstrip()
        if piece.strip():
            yield piece
        start = end


def _cut(text: str, start: int, limit: int) -> int:
    if limit >= len(text):
        return len(text)
    middle = (start + limit) // 2
    for border in _BORDERS:
        ends = [found.end() for found in border.finditer(text, middle, limit)]
        if ends:
            return ends[-1]
    return limit
