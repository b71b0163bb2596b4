"""What the system message asks of an answer."""

import re
from dataclasses import dataclass
from functools import lru_cache

_NUMBERS = {"one": 1, "a single": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_COUNT = re.compile(r"\b(one|a single|two|three|four|five|six|\d)(?: \w+)? sentences?\b")
_SHORT = re.compile(r"\b(?:brief\w*|concise\w*|terse\w*|short\w*|few words)\b")
_LONG = re.compile(r"\b(?:detail\w*|thorough\w*|step by step|explain\w*|complete\w*|full\w*)\b")
_STRICT = re.compile(
    r"\b(?:only|solely|strictly)\b[^.]*\b(?:context|passages?|sources?|documents?)\b"
    r"|\b(?:do not|don't|never) (?:guess|invent|make up)\b"
)
_ADMIT = re.compile(r"\b(?:do not|don't) know\b|\bcan(?:not|'t) be (?:found|answered)\b")


@dataclass(frozen=True)
class Manner:
    """How to answer."""

    sentences: int
    """At most so many are taken from the context."""
    doubt: float
    """Share of the question's words that the context must hold, or the reader won't answer."""


@lru_cache(maxsize=256)
def manner(system: str) -> Manner:
    """Read the system message's wording; without any wish the answer has two sentences."""
    wish = system.lower()
    doubt = 0.15
    if _ADMIT.search(wish):
        doubt += 0.11
    if _STRICT.search(wish):
        doubt += 0.11
    return Manner(_sentences(wish), doubt)


def _sentences(wish: str) -> int:
    count = _COUNT.search(wish)
    if count:
        return _NUMBERS.get(count[1]) or int(count[1])
    if _SHORT.search(wish):
        return 1
    return 4 if _LONG.search(wish) else 2
