"""Tells two questions apart that lie near each other and still want different answers.

Vectors hardly see a negation, a number, a name or the order of two words. So two questions may
share an answer only if they say the same words, fillers and endings aside; what is left to the
vectors is spelling: whether a word that is written a little differently is the same word.
"""

from collections.abc import Sequence
from typing import Literal

from rapidfuzz.distance import OSA

from engine.workflow.caching.wording import Wording

Reason = Literal["question", "tense", "negation", "literal", "name", "word", "order"]

SHORTEST_SLIP = 6
"""Letters of a word that may be misspelt: a letter more or less makes another word of `list`."""


def difference(one: Wording, other: Wording) -> Reason | None:
    """Why the two must not share an answer; None where they may."""
    checks: tuple[tuple[Reason, bool], ...] = (
        ("question", one.kind == other.kind),
        ("tense", one.tense == other.tense),
        ("literal", one.literals == other.literals),
        ("negation", one.denied == other.denied),
        ("name", one.names <= {*other.items} and other.names <= {*one.items}),
        ("order", sorted(one.items) != sorted(other.items) or one.items == other.items),
        ("word", bool(one.items) and _spelt_alike(one.items, other.items)),
    )
    return next((reason for reason, same in checks if not same), None)


def _spelt_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    if len(one) != len(other):
        return False
    changed = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    return len(changed) <= 1 and all(_slip(a, b) for a, b in changed)


def _slip(one: str, other: str) -> bool:
    long = min(len(one), len(other)) >= SHORTEST_SLIP
    return long and one.isalpha() and other.isalpha() and OSA.distance(one, other) == 1
