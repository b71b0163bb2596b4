"""Says how hard a request looks, in points that each have their reason."""

import re
from collections.abc import Callable
from dataclasses import dataclass

LONG = 400
VERY_LONG = 2_000
_CODE = re.compile(
    r"```|`[^`\n]+`|\bdef \w+\(|\bclass \w+[:(]|[;{}]\s*$|\w+\(.*\)|Traceback", re.MULTILINE
)
_NUMBER = re.compile(r"(?<!\w)\d+(?:[.,]\d+)*")
_STEPS = re.compile(
    r"\b(?:step by step|then|after that|afterwards|finally|first(?:ly)?|secondly|next"
    r"|for each|and also|as well as)\b|^\s*(?:\d+[.)]|[-*])\s",
    re.IGNORECASE | re.MULTILINE,
)
_DEMANDS = re.compile(
    r"\b(?:compare|design|prove|derive|optimi[sz]e|refactor|analy[sz]e|evaluate|architecture"
    r"|trade-?offs?|why|plan|debug|strategy|implications?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Complexity:
    """Points, and what each was given for."""

    points: int
    reasons: tuple[str, ...]


_RULES: tuple[tuple[str, Callable[[str], int]], ...] = (
    ("length", lambda text: (len(text) > LONG) + (len(text) > VERY_LONG)),
    ("questions", lambda text: min(2, max(0, text.count("?") - 1))),
    ("code", lambda text: int(_CODE.search(text) is not None)),
    ("numbers", lambda text: int(_least(_NUMBER, text, 3))),
    ("steps", lambda text: _least(_STEPS, text, 1) + _least(_STEPS, text, 3)),
    ("demands", lambda text: _least(_DEMANDS, text, 1) + _least(_DEMANDS, text, 2)),
)
READ = 20_000
"""Characters that are looked at; a longer text has its points for length anyway."""


def complexity(text: str) -> Complexity:
    """How hard a request looks; 0 for a plain short question, 10 at most."""
    read = text[:READ]
    given = {name: points(read) for name, points in _RULES}
    reasons = tuple(f"{name} {points}" for name, points in given.items() if points)
    return Complexity(sum(given.values()), reasons)


def _least(pattern: re.Pattern[str], text: str, count: int) -> bool:
    """Whether it occurs so often, without looking further than that."""
    found = pattern.finditer(text)
    return sum(1 for _ in zip(range(count), found, strict=False)) == count
