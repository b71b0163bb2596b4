"""How far an answer holds what is known to be right."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from engine.errors import ConfigError
from engine.evaluate.rule import folded

Facts = tuple[tuple[str, ...], ...]
"""What an answer must hold: of each fact's wordings, one is enough."""
_WORD = re.compile(r"\w+")


def references(path: Path) -> dict[str, Facts]:
    """Read the known questions, as they are compared, with their facts.

    Raises:
        ConfigError: The file can't be read, or a line is no object with a question and facts.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read: {error}; check the path") from error
    known = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            question, facts = _entry(line, f"{path}:{number}")
            known[folded(question)] = facts
    return known


def score(
    answer: str, question: str, known: Mapping[str, Facts], match: Literal["facts", "f1"]
) -> float | None:
    """The share of facts that the answer holds, or its F1 of words; None for other questions.

    The F1 is that of shared words, as answers to SQuAD are scored (Rajpurkar et al. 2016), with
    the wording of each fact that fits best, on average over the facts.
    """
    facts = known.get(folded(question))
    if not facts:
        return None
    if match == "facts":
        text = folded(answer)
        held = [any(folded(wording) in text for wording in fact) for fact in facts]
        return sum(held) / len(held)
    best = [max(shared_words(answer, wording) for wording in fact) for fact in facts]
    return sum(best) / len(best)


def shared_words(one: str, other: str) -> float:
    """The F1 of the words that two texts share, each as often as it occurs."""
    words, others = Counter(_words(one)), Counter(_words(other))
    shared = (words & others).total()
    return 2.0 * shared / (words.total() + others.total()) if shared else 0.0


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _entry(line: str, where: str) -> tuple[str, Facts]:
    try:
        said = json.loads(line)
    except ValueError as error:
        raise ConfigError(f"{where}: not JSON: {error}; write one object a line") from error
    question = said.get("question") if isinstance(said, dict) else None
    facts = said.get("facts") if isinstance(said, dict) else None
    if not isinstance(question, str) or not isinstance(facts, list) or not facts:
        raise ConfigError(f"{where}: write an object with `question` and a list of `facts`")
    return question, tuple(_wordings(fact, where) for fact in facts)


def _wordings(fact: object, where: str) -> tuple[str, ...]:
    wordings: Sequence[object] = fact if isinstance(fact, list) else [fact]
    texts = tuple(one for one in wordings if isinstance(one, str) and one.strip())
    if not texts or len(texts) != len(wordings):
        raise ConfigError(f"{where}: got the fact {fact!r}; write a text or a list of texts")
    return texts
