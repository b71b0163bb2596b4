"""Reads a question for what must be the same before two questions may share an answer."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from engine.workflow.caching import english
from engine.workflow.words import stem

_ASIDE = re.compile(r"^in (?:a |an |the )?([^\s,]+),\s*(.+?)[?.!]*$", re.IGNORECASE)
_QUOTED = re.compile(r"```.*?```|`[^`]*`|\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']+'(?!\w)", re.DOTALL)
_THOUSANDS = re.compile(r"\b\d{1,3}(?:,\d{3})+\b")
_SIGNS = "([{<\"'.,;:?)]}>…"
_PLACE = "\x00"


@dataclass(frozen=True)
class Wording:
    """What a question says, its fillers left out."""

    kind: str
    """The question word, or `yes-no`, or `plain`."""
    tense: str
    items: tuple[str, ...]
    """In order: stemmed words, and literals (numbers, quotes, code) as they are written."""
    literals: frozenset[str]
    names: frozenset[str]
    """Words that are written as names."""

    @property
    def denied(self) -> tuple[str, ...]:
        """Each negation with the item after it."""
        pairs = pairwise((*self.items, ""))
        return tuple(sorted(f"{a} {b}" for a, b in pairs if a in english.NEGATIONS))


@lru_cache(maxsize=4_096)
def wording(question: str) -> Wording:
    """Read a question."""
    quotes: list[str] = []

    def kept(match: re.Match[str]) -> str:
        quotes.append(match[0])
        return f" {_PLACE}{len(quotes) - 1} "

    text = _QUOTED.sub(kept, question.replace(_PLACE, " ").replace("\u2019", "'"))
    text = " ".join(text.split())
    for pattern, instead in english.REWRITTEN:
        text = pattern.sub(instead, text)
    text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text.strip())
    if aside := _ASIDE.match(text):
        text = f"{aside[2]} in {aside[1]}"
    return _Reader(quotes).read(text.split())


class _Reader:
    def __init__(self, quotes: Sequence[str]) -> None:
        self._quotes = quotes
        self._items: list[str] = []
        self._literals: set[str] = set()
        self._names: set[str] = set()

    def read(self, chunks: Sequence[str]) -> Wording:
        bare = [_bare(chunk) for chunk in chunks]
        lower = [word.lower() for word in bare]
        linked: list[int] = []
        joined: list[int] = []
        for place, word in enumerate(lower):
            last = place == len(lower) - 1
            if word in english.LINKS and not last:
                linked.append(len(self._items))
                continue
            if word in english.JOINS:
                joined.append(len(self._items))
            elif word and word not in english.FILLERS and word not in english.QUESTIONS:
                self._take(bare[place], first=place == 0)
        self._order(linked, joined)
        return Wording(
            _kind(lower),
            _tense(lower),
            tuple(self._items),
            frozenset(self._literals),
            frozenset(self._names),
        )

    def _order(self, linked: Sequence[int], joined: Sequence[int]) -> None:
        """Write down in one way what is said in several orders."""
        items = self._items
        if any(item in english.COMPARING for item in items):
            for place in joined:
                if 0 < place < len(items):
                    items[place - 1 : place + 1] = sorted(items[place - 1 : place + 1])
        for place in reversed(linked):
            if 0 < place < len(items):
                items.insert(place - 1, items.pop(place))

    def _take(self, bare: str, *, first: bool) -> None:
        lower = bare.lower()
        if bare.startswith(_PLACE):
            self._literal(self._quotes[int(bare[1:])])
        elif lower in english.NUMBERS:
            self._literal(english.NUMBERS[lower])
        elif not _is_word(bare):
            self._literal(bare)
        else:
            word = stem(lower.removesuffix("'s"))
            word = english.SYNONYMS.get(word, word)
            self._items.append(word)
            if bare[0].isupper() and not first:
                self._names.add(word)

    def _literal(self, text: str) -> None:
        self._items.append(text)
        self._literals.add(text)


def _bare(chunk: str) -> str:
    bare = chunk.strip(_SIGNS)
    # "5!" is not five.
    bare = bare if re.search(r"\d!$", bare) else bare.rstrip("!" + _SIGNS)
    return "" if bare in {"-", "\u2013", "\u2014"} else bare


def _is_word(bare: str) -> bool:
    letters = bare.removesuffix("'s").replace("-", "")
    inside = any(a.islower() and b.isupper() for a, b in pairwise(letters))
    return letters.isalpha() and not inside and not bare.startswith("-")


def _kind(words: Sequence[str]) -> str:
    for word, after in pairwise((*words, "")):
        if word == "how" and after in english.MEASURES:
            return f"how {after}"
        if word in english.QUESTIONS:
            return "what" if word == "which" else word
    return "yes-no" if words and words[0] in english.YES_NO else "plain"


def _tense(words: Sequence[str]) -> str:
    past = "past" if english.PAST.intersection(words) else ""
    return past + ("future" if english.FUTURE.intersection(words) else "")
