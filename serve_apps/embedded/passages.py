"""Takes a user's message apart: the question, the passages, their sentences."""

import re
from dataclasses import dataclass
from functools import lru_cache

from engine.workflow.words import terms

_QUESTION = re.compile(r"(?:^|\n)\s*(?:question|query|user question)\s*:\s*", re.IGNORECASE)
_CONTEXT = re.compile(r"^\s*(?:context|passages|documents|sources)\s*:\s*\n?", re.IGNORECASE)
_MARK = re.compile(r"(?:^|\n)\[\d+\] ")
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_LINE_START = re.compile(r"\s*(?:[*\-+|>]|\d+\.|\.\.)\s|\s*[+|]|.*::=")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\u201d]*\s+(?=[\"'(*\u201c\[_A-Z0-9])")


@dataclass(frozen=True)
class Sentence:
    """A sentence, an item of a list, or a piece of code."""

    text: str
    terms: frozenset[str]
    length: int
    """In terms."""


@dataclass(frozen=True)
class Reading:
    """A user's message, taken apart."""

    question: str
    passages: tuple[str, ...]


def taken_apart(message: str) -> Reading:
    """Split a message at its last `Question:`; without one, its last paragraph asks."""
    marks = list(_QUESTION.finditer(message))
    if marks:
        question, rest = message[marks[-1].end() :], message[: marks[-1].start()]
    else:
        paragraphs = _PARAGRAPH.split(message.strip())
        question, rest = paragraphs[-1], "\n\n".join(paragraphs[:-1])
    rest = _CONTEXT.sub("", rest, count=1)
    passages = _MARK.split(rest) if _MARK.search(rest) else _PARAGRAPH.split(rest)
    return Reading(question.strip(), tuple(passage for passage in passages if passage.strip()))


@lru_cache(maxsize=4_096)
def sentences(passage: str) -> tuple[Sentence, ...]:
    """The sentences of a passage, in order."""
    found: list[Sentence] = []
    for block in _PARAGRAPH.split(passage):
        for text in _split(block):
            words = terms(text)
            if words:
                found.append(Sentence(text, frozenset(words), len(words)))
    return tuple(found)


def _split(block: str) -> list[str]:
    """Prose at its sentence ends; lists, tables and code at the lines that begin an item."""
    lines = [line for line in block.split("\n") if line.strip()]
    items: list[str] = []
    for line in lines:
        if items and not _LINE_START.match(line):
            items[-1] += " " + line.strip()
        else:
            items.append(line.strip())
    return [text for item in items for text in _SENTENCE_END.split(item) if text.strip()]
