"""Chooses the sentences that answer a question."""

import math
import random
from dataclasses import dataclass

from engine.workflow.words import terms
from serve_apps.embedded.passages import Reading, Sentence, sentences

SHARPNESS = 4.0
"""How strongly a better sentence is preferred at temperature 1."""
BEFORE = 0.3
AFTER = 0.1
PASSAGE = 0.6
REPEAT = 0.35
FOLLOWING = 0.1
ORDER = 0.02
POOL = 32
"""Sentences that have any chance of being said, however long the context is."""


@dataclass(frozen=True)
class Candidate:
    """A sentence that may be said, where it stands, and how well it fits."""

    sentence: Sentence
    place: tuple[int, int]
    """Its passage's number and its own number inside it."""
    score: float


def candidates(reading: Reading) -> list[Candidate]:
    """The best sentences of the context with their scores, best first; the first one scores 1.

    A term weighs more the fewer sentences of this context hold it; what the sentences around say
    counts a little, and so does standing early.
    """
    asked = frozenset(terms(reading.question))
    texts = [sentences(passage) for passage in reading.passages]
    weight = _weights(asked, texts)
    scored: list[tuple[float, tuple[int, int], Sentence]] = []
    heard: set[str] = set()
    for number, passage in enumerate(texts):
        known = asked & frozenset().union(*(sentence.terms for sentence in passage))
        about = PASSAGE * sum(weight[term] for term in known)
        own = [_fit(asked, sentence, weight) for sentence in passage]
        early = 1.0 - ORDER * min(number, 20)
        for place, sentence in enumerate(passage):
            if sentence.text in heard:
                continue
            heard.add(sentence.text)
            before = own[place - 1] if place else 0.0
            after = own[place + 1] if place + 1 < len(own) else 0.0
            score = own[place] + BEFORE * before + AFTER * after + about
            scored.append((score * early, (number, place), sentence))
    scored.sort(key=_by_score, reverse=True)
    best = scored[0][0] if scored else 0.0
    if best <= 0.0:
        return []
    return [Candidate(sentence, place, score / best) for score, place, sentence in scored[:POOL]]


def _by_score(row: tuple[float, tuple[int, int], Sentence]) -> float:
    return row[0]


def covered(reading: Reading) -> float:
    """Share of the question's terms that occur anywhere in the context."""
    asked = frozenset(terms(reading.question))
    held = frozenset().union(
        *(sentence.terms for passage in reading.passages for sentence in sentences(passage))
    )
    return len(asked & held) / len(asked) if asked else 0.0


def chosen(
    found: list[Candidate], count: int, temperature: float, top_p: float, dice: random.Random
) -> list[Candidate]:
    """At most `count` sentences in reading order, drawn one by one.

    A sentence's chance grows exponentially with its score over the temperature; repeating what was
    said already lowers the score, following on what was said raises it.
    """
    scores = [each.score for each in found]
    repeats = [0.0] * len(found)
    left = list(range(len(found)))
    picked: list[Candidate] = []
    while left and len(picked) < count:
        now = [scores[i] - REPEAT * repeats[i] for i in left]
        at = left.pop(_drawn(now, temperature, top_p, dice))
        said = found[at]
        picked.append(said)
        if len(picked) < count:
            words = said.sentence.terms
            for i in left:
                own = found[i].sentence.terms
                repeats[i] = max(repeats[i], len(words & own) / len(own))
                if found[i].place == (said.place[0], said.place[1] + 1):
                    scores[i] += FOLLOWING
    return sorted(picked, key=lambda each: each.place)


def _weights(asked: frozenset[str], texts: list[tuple[Sentence, ...]]) -> dict[str, float]:
    every = [sentence.terms for passage in texts for sentence in passage]
    return {
        term: math.log(1.0 + (len(every) + 1.0) / (1.0 + sum(term in each for each in every)))
        for term in asked
    }


def _fit(asked: frozenset[str], sentence: Sentence, weight: dict[str, float]) -> float:
    shared = sum(weight[term] for term in asked & sentence.terms)
    # A long sentence shares words by chance; a very short one hardly says anything.
    return shared / (1.0 + 0.04 * sentence.length) if sentence.length > 2 else shared * 0.6


def _drawn(scores: list[float], temperature: float, top_p: float, dice: random.Random) -> int:
    if temperature <= 0.0:
        return scores.index(max(scores))
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    top = scores[order[0]]
    mass = [math.exp(SHARPNESS * (scores[i] - top) / temperature) for i in order]
    limit, kept, nucleus = top_p * sum(mass), 0, 0.0
    while kept < len(mass) and (kept == 0 or nucleus < limit):
        nucleus += mass[kept]
        kept += 1
    return dice.choices(order[:kept], mass[:kept])[0]
