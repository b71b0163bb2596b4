"""How the demonstration's users rate an answer."""

from collections.abc import Sequence


def score(answer: str, facts: Sequence[Sequence[str]]) -> float:
    """1.0 if the answer contains one alternative of every fact, else 0.0.

    Only the text counts; case and the kind of white space don't.
    """
    text = _folded(answer)
    return float(all(any(_folded(words) in text for words in fact) for fact in facts))


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
