"""The English that says nothing, or says the same in other words."""

import re

from engine.workflow.words import stem

_FILLERS = """
a an the is are am be been being do does doing would could can may might and also there what which
how that please thanks thank just simply really exactly actually basically so well ok okay
"""
FILLERS = frozenset(_FILLERS.split())

_QUESTIONS = "who whom whose when where why how what which"
QUESTIONS = frozenset(_QUESTIONS.split())
_MEASURES = "many much long often far old big fast large soon late"
MEASURES = frozenset(_MEASURES.split())
"""After `how` they make another question."""
_YES_NO = "is are was were do does did can could should must may will would has have had"
YES_NO = frozenset(_YES_NO.split())
"""A question that begins with one of them wants a yes or a no."""
_PAST = "was were did had been"
PAST = frozenset(_PAST.split())
_FUTURE = "will shall going"
FUTURE = frozenset(_FUTURE.split())
_NEGATIONS = "not no never without neither nor none nothing nobody nowhere hardly barely except"
NEGATIONS = frozenset(_NEGATIONS.split())
LINKS = frozenset({"in", "of"})
"""`A in B` and `A of B` are also said as `B A`."""
JOINS = frozenset({"and", "vs", "versus"})
_COMPARING = "difference differ different compare"
COMPARING = frozenset(map(stem, _COMPARING.split()))
"""Where one of them occurs, what stands around `and` may change places."""

_COUNTED = "zero one two three four five six seven eight nine ten eleven twelve"
NUMBERS = {word: str(number) for number, word in enumerate(_COUNTED.split()) if word != "one"}
"""Not `one`, which is mostly no number."""

_SAME = (
    "delete remove erase",
    "create make",
    "begin start",
    "fast quick quickly",
    "big large",
    "find locate",
    "buy purchase",
    "change modify alter",
    "color colour",
    "image picture photo",
)
SYNONYMS = {stem(word): stem(words.split()[0]) for words in _SAME for word in words.split()[1:]}


def _rewritten(pattern: str, instead: str) -> tuple[re.Pattern[str], str]:
    return re.compile(pattern, re.IGNORECASE), instead


REWRITTEN = (
    _rewritten(r"\bcan(?:'t|not)\b", "can not"),
    _rewritten(r"\bwon't\b", "will not"),
    _rewritten(r"n't\b", " not"),
    _rewritten(r"\b(what|who|why|how|where|when|that|it)'s\b", r"\1 is"),
    _rewritten(r"'(?:re|m)\b", " are"),
    _rewritten(r"'(?:d|ve)\b", " would"),
    _rewritten(r"'ll\b", " will"),
    _rewritten(r"^(?:hi|hello|hey)(?: there)?\b[,!.]*\s*", ""),
    _rewritten(
        r"\b(?:can|could|would|will) (?:you|someone|anyone) (?:please )?"
        r"(?:(?:tell|show|teach|explain to|help) me|explain)\b(?: understand)?",
        "",
    ),
    _rewritten(r"\b(?:tell|show) me\b", ""),
    _rewritten(r"\bi (?:want|need|would (?:like|love)) to (?:know|learn|understand)\b", ""),
    _rewritten(r"\b(?:do you know|i (?:am|are|was) wondering(?: if)?)\b", ""),
    _rewritten(
        r"(?:\b(?:what is|what are|is there|are there|show|explain) )?\b(?:the|a|any|some) "
        r"(?:(?:best|right|correct|proper|good|recommended|easy|simple) )?"
        r"(?:way|ways|method) (?:to|of)\b",
        "how ",
    ),
    _rewritten(r"\bhow (?:(?:do|can|could|would|might) (?:i|you|we|one)|to)\b", "how "),
)
"""Turns of phrase, each with what it comes to; applied in this order."""
