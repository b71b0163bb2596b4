"""Splits a text into the terms by which two texts are compared."""

import re
from functools import lru_cache

_TERM = re.compile(r"\w+|(?:\*\*|//|<<|>>|[:!=<>]=|->|[@%&|^~+*/])=?")
_ENDINGS = ("ations", "ation", "ingly", "edly", "ings", "ing", "ies", "ied", "ed", "es", "ly", "s")

_STOP_WORDS = """
a about all also am an and any are as at be because been but by can could did do does doing done
each for from get gets getting give given had has have having he her here his how i if in into
is it its just let like make makes many may me might more most much must my need no not of on
one only or other our out over own really same she should so some such than that the their them
then there these they this those to too under up us use used uses using very want was we were
what when where which while who whose why will with would you your there's what's don't isn't
doesn't i'd i'm i've s t d m ve ll re actually exactly happen happens come comes go goes say
says tell mean means work works thing things something anything
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""Words that say little about what a text is about."""


def terms(text: str) -> list[str]:
    """The content terms of a text in order: stemmed words, names, numbers and operators."""
    return [stem(word) for word in _TERM.findall(text.lower()) if word not in STOP_WORDS]


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word without its commonest English endings; names and numbers stay as they are."""
    if len(word) <= 3 or not word.isalpha():
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    if len(word) > 4 and word[-1] == word[-2] and word[-1] not in "ls":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] in "ey" else word
