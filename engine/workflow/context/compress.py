"""Makes passages shorter before a language model reads them."""

import asyncio
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.config.context import Compression
from engine.errors import DeadlineError
from engine.workflow.context.clean import cleaned, distinct, facts
from engine.workflow.context.sentences import sentences
from engine.workflow.failure import StepError
from engine.workflow.parts import Asker
from engine.workflow.run import Run
from engine.workflow.words import terms

GAP = "[…] "
"""Stands where sentences were left out."""

TASK = (
    "Shorten the text for someone who has to answer the question from it. Keep about {percent} % "
    "of its length. Copy names, numbers and negations exactly and add nothing. Write the shortened "
    "text only."
)


@dataclass(frozen=True)
class Compressed:
    """A shorter text, and how it came about."""

    text: str
    by: Literal["nothing", "extractive", "model"]
    ratio: float
    """The part of the text that is left; it can miss what was asked for."""


async def shorter(
    passages: Sequence[str], question: str, settings: Compression, asker: Asker, run: Run
) -> list[Compressed]:
    """The passages as the settings want them, those that say nothing new left out."""
    texts = [cleaned(text) for text in passages] if settings.clean else list(passages)
    if settings.deduplicate:
        texts = [texts[n] for n in distinct(texts)]
    match settings.method:
        case "none":
            return [Compressed(text, "nothing", 1.0) for text in texts]
        case "extractive":
            return [extracted(text, question, settings.ratio) for text in texts]
        case "model":
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(_rewritten(text, question, settings.ratio, asker, run))
                    for text in texts
                ]
            return [task.result() for task in tasks]


def extracted(text: str, question: str, ratio: float) -> Compressed:
    """The sentences nearest to the question, in their order, until the ratio is reached.

    A sentence with a number or a negation always stays, because a text without it may say the
    opposite: where there are many of those the ratio is missed, and what is left says by how much.
    """
    every = sentences(text)
    room = ratio * len(text)
    must = {n for n, sentence in enumerate(every) if facts(sentence)}
    room -= sum(len(every[n]) for n in must)
    scores = _scores(every, question)
    kept = set(must)
    for n in sorted(range(len(every)), key=lambda n: (-scores[n], n)):
        if n not in must and len(every[n]) <= room:
            kept.add(n)
            room -= len(every[n])
    if not kept and every:
        kept = {max(range(len(every)), key=lambda n: (scores[n], -n))}
    short = _with_gaps(every, kept)
    # A mark in the place of a short sentence would make the text longer.
    if len(short) >= len(text):
        return Compressed(text, "nothing", 1.0)
    return Compressed(short, "extractive", len(short) / len(text))


async def _rewritten(text: str, question: str, ratio: float, asker: Asker, run: Run) -> Compressed:
    with run.timeline.span("compress") as span:
        try:
            reply = await asker.ask(
                [
                    {"role": "system", "content": TASK.format(percent=round(100 * ratio))},
                    {"role": "user", "content": f"Question: {question}\n\nText:\n{text}"},
                ],
                run,
                node="compress_model",
                tier="cheap",
            )
        except (StepError, DeadlineError) as failure:
            span.update(fallback="extractive", why=getattr(failure, "code", "timeout"))
            return extracted(text, question, ratio)
        short = reply.text.strip()
        # A number or negation that the text doesn't hold was made up.
        if not short or len(short) >= len(text) or not facts(short).keys() <= facts(text).keys():
            span.update(fallback="extractive", why="unusable")
            return extracted(text, question, ratio)
        span["facts_lost"] = (facts(text) - facts(short)).total()
        return Compressed(short, "model", len(short) / len(text))


def _scores(every: Sequence[str], question: str) -> list[float]:
    """How much of the question's rarer terms each sentence holds, for its length."""
    held = [Counter(terms(sentence)) for sentence in every]
    wanted = set(terms(question))
    rarity = {
        term: math.log(1.0 + len(every) / (1 + sum(term in words for words in held)))
        for term in wanted
    }
    return [
        sum(rarity[term] for term in wanted if term in words) / math.sqrt(1 + words.total())
        for words in held
    ]


def _with_gaps(every: Sequence[str], kept: set[int]) -> str:
    pieces: list[str] = []
    for n, sentence in enumerate(every):
        if n in kept:
            pieces.append(sentence)
        elif not pieces or pieces[-1] is not GAP:
            pieces.append(GAP)
    return "".join(pieces).strip()
