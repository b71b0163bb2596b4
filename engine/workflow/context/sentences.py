"""Splits a text into sentences, with nothing lost between them."""

import itertools
import re

_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+(?=[^\sa-z])|\n\s*\n|(?<=[\u3002\uff01\uff1f])")
"""After a full stop that no small letter follows (so not within `e.g. this`), or at a paragraph."""


def sentences(text: str) -> list[str]:
    """The sentences in order, each with the white space after it; joined they are the text."""
    ends = [match.end() for match in _END.finditer(text)]
    cuts = [0, *ends, len(text)]
    return [text[a:b] for a, b in itertools.pairwise(cuts) if b > a]
