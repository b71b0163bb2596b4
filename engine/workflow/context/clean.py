"""Removes from a text what says nothing, and from passages what was said already."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from engine.workflow.words import terms

OFTEN = 3
"""From so many occurrences on, a line is a header or a footer, and its first one is enough."""

NEAR = 0.9
"""Two passages share this part of their word triples when they say the same."""

_FENCED = re.compile(r"(^(?:```|~~~).*?^(?:```|~~~)[ \t]*$)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_RULE = re.compile(r"^[ \t]*(?:[-*_=#~][ \t]*){3,}$\n?", re.MULTILINE)
_DATA = re.compile(r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]+")
_LONG = re.compile(r"[A-Za-z0-9+/]{200,}={0,2}")
_MIXED = (re.compile(r"[a-z]"), re.compile(r"[A-Z]"), re.compile(r"\d"))
"""Encoded data holds all of them, where a long number or a drawn line does not."""
_MARK = "[encoded data]"
_SPACES = re.compile(r"(?<=\S)[ \t]{2,}(?=\S)")
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANK = re.compile(r"\n{3,}")
_FACT = re.compile(
    r"\d+(?:[.,]\d+)*|\b(?:no|not|never|none|nothing|neither|nor|without|cannot|\w+n['\u2019]t)\b",
    re.IGNORECASE,
)


def facts(text: str) -> Counter[str]:
    """The numbers and negations of a text: what no shortening may lose without saying so."""
    return Counter(found.lower() for found in _FACT.findall(text))


def cleaned(text: str) -> str:
    """The text without white space, rules, comments, encoded data and repeated lines.

    Fenced code stays as it is.
    """
    parts = _FENCED.split(text)
    prose = [_tidied(part) for part in parts[::2]]
    often = Counter(line.strip() for part in prose for line in part.split("\n"))
    seen: set[str] = set()
    parts[::2] = [_once(part, often, seen) for part in prose]
    return "".join(parts).strip("\n")


def distinct(passages: Sequence[str]) -> list[int]:
    """The places of the passages that say something new, in order.

    Passages that differ in a number or a negation are never the same.
    """
    kept: list[int] = []
    shapes = [(_triples(passage), facts(passage)) for passage in passages]
    for n, (triples, own) in enumerate(shapes):
        twins = (k for k in kept if shapes[k][1] == own and _alike(shapes[k][0], triples))
        if next(twins, None) is None:
            kept.append(n)
    return kept


def _tidied(text: str) -> str:
    steps: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
        (_COMMENT, ""),
        (_DATA, _MARK),
        (_LONG, _unencoded),
        (_RULE, ""),
        (_SPACES, " "),
        (_TRAILING, ""),
        (_BLANK, "\n\n"),
    )
    for pattern, instead in steps:
        text = pattern.sub(instead, text)
    return text


def _unencoded(found: re.Match[str]) -> str:
    return _MARK if all(kind.search(found[0]) for kind in _MIXED) else found[0]


def _once(text: str, often: Counter[str], seen: set[str]) -> str:
    kept = []
    for line in text.split("\n"):
        bare = line.strip()
        if bare and often[bare] >= OFTEN:
            if bare in seen:
                continue
            seen.add(bare)
        kept.append(line)
    return _BLANK.sub("\n\n", "\n".join(kept))


def _triples(text: str) -> frozenset[tuple[str, ...]]:
    words = terms(text)
    return frozenset(zip(words, words[1:], words[2:], strict=False)) or frozenset([tuple(words)])


def _alike(one: Iterable[tuple[str, ...]], other: Iterable[tuple[str, ...]]) -> bool:
    left, right = set(one), set(other)
    return len(left & right) >= NEAR * len(left | right)
