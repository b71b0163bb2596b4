"""Cuts texts into passages, in one of several ways."""

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache

from semantic_text_splitter import MarkdownSplitter, TextSplitter

from engine.config.retrieval import Chunker, Chunking
from engine.workflow.chunks import CHUNKING, Chunk, pieces
from engine.workflow.context.sentences import sentences
from engine.workflow.context.tokens import wordpieces

VERSIONS: Mapping[Chunker, str] = {
    "borders": CHUNKING,
    "tokens": "tokens-1",
    "sentences": "sentences-1",
    "markdown": "markdown-1",
}
"""Names each way of cutting; part of an index's key, so a changed way is a new index."""


def chunked(texts: Mapping[str, str], settings: Chunking) -> tuple[Chunk, ...]:
    """Every topic's text in passages no longer than the settings say, in order.

    Without overlap only white space is lost.
    """
    cut = _cutter(settings)
    return tuple(
        Chunk(topic, piece) for topic, text in texts.items() for piece in cut(text) if piece.strip()
    )


def _cutter(settings: Chunking) -> Callable[[str], Iterator[str]]:
    match settings.chunker:
        case "borders":
            return lambda text: pieces(text, settings.chars)
        case "tokens":
            by_tokens = _by_tokens(settings.tokens, int(settings.tokens * settings.overlap))
            return lambda text: iter(by_tokens.chunks(text))
        case "sentences":
            return lambda text: _windows(text, settings)
        case "markdown":
            overlap = int(settings.chars * settings.overlap)
            by_heading = MarkdownSplitter(settings.chars, overlap)
            return lambda text: iter(by_heading.chunks(text))


@lru_cache(maxsize=8)
def _by_tokens(most: int, overlap: int) -> TextSplitter:
    # Reading the tokenizer takes longer than cutting a short text.
    return TextSplitter.from_huggingface_tokenizer(wordpieces(), most, overlap)


def _windows(text: str, settings: Chunking) -> Iterator[str]:
    """Windows of so many sentences, ending early where they would be too many characters."""
    every: list[str] = []
    for sentence in sentences(text):
        if len(sentence) <= settings.chars:
            every.append(sentence)
        else:
            every += [f"{piece} " for piece in pieces(sentence, settings.chars - 1)]
    start = 0
    while start < len(every):
        end, taken = start, 0
        while end < len(every) and end - start < settings.sentences:
            taken += len(every[end])
            if taken > settings.chars:
                break
            end += 1
        yield "".join(every[start:end]).strip()
        if end == len(every):
            return
        start = max(start + 1, end - int((end - start) * settings.overlap))
