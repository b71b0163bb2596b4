"""Intent routing: its time, the embedding included, and how often it is right."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from cluster.bench.rows import Row, compared, judged
from cluster.bench.runtime.timing import Latencies
from engine.config.frozen import Frozen
from engine.config.routing import Intent, Intents
from engine.config.source import load
from engine.workflow.embedding import FloatArray
from engine.workflow.embeddings.minilm import Encoder
from engine.workflow.embeddings.static import StaticEncoder
from engine.workflow.embeddings.sweep import Encode
from engine.workflow.routing.classifier import Classifier
from engine.workflow.routing.intent import IntentRouter

FILE = Path(__file__).parents[3] / "configs" / "bench" / "intents.yaml"
FOLDS = 4
MOST_TOKENS = 64
LONG = "My question is about the following report, please read it to its end. " * 40
"""One question in sixteen."""


class Written(Frozen):
    """Questions by hand, by what is wanted."""

    intents: Mapping[str, tuple[str, ...]] = Field(min_length=2)


def measure(*, quick: bool) -> list[Row]:
    """The encoder that routing is fit for, the full one beside it, and one without layers."""
    return asyncio.run(_measured(passes=2 if quick else 4))


async def _measured(passes: int) -> list[Row]:
    groups = load(FILE, Written).intents
    full = Encoder().encode
    half = Encoder(most_tokens=MOST_TOKENS, half=True).encode
    words = StaticEncoder().encode
    right = {encode: accuracy(encode, groups) for encode in (full, half, words)}
    took = {encode: await _routed(encode, groups, passes) for encode in (full, half, words)}
    asked = len(took[half].wall_ms)
    name = f"routing {asked} questions, the embedding included"
    short = f"{MOST_TOKENS} tokens at half precision"
    rows = [
        _row("p99", f"p99 of {name}, {short}; to the full encoder's", took[half].wall(0.99), "ms"),
        _row("own-p99", "of it this thread's own time", took[half].own(0.99), "ms"),
        _row("accuracy", f"right by {FOLDS} folds; to the full encoder's", right[half], ""),
        _row("words-p99", "p99 without the encoder's layers", took[words].wall(0.99), "ms"),
        _row("words-accuracy", "right without the encoder's layers", right[words], ""),
    ]
    peers = (took[full].wall(0.99), took[full].own(0.99), right[full])
    beside = [compared(row, peer) for row, peer in zip(rows, peers, strict=False)]
    goal = beside[0].model_copy(update={"goal": "< 15"})
    return [judged(goal), *beside[1:], *rows[len(peers) :]]


def accuracy(encode: Encode, groups: Mapping[str, Sequence[str]]) -> float:
    """By folds: all others train, one is asked."""
    texts = [text for group in groups.values() for text in group]
    labels = np.array([name for name, group in groups.items() for _ in group])
    fold = np.array([n % FOLDS for group in groups.values() for n in range(len(group))])
    vectors = encode(texts)
    right = 0
    for held in range(FOLDS):
        learn = fold != held
        classifier = Classifier.train(vectors[learn], list(labels[learn]), encoder="bench")
        likeliest = classifier.probabilities(vectors[~learn]).argmax(axis=1)
        right += int(np.sum(np.array(classifier.labels)[likeliest] == labels[~learn]))
    return right / len(texts)


async def _routed(encode: Encode, groups: Mapping[str, Sequence[str]], passes: int) -> Latencies:
    """Each question by itself, the encoder in this thread."""

    async def embed(texts: Sequence[str]) -> FloatArray:
        return encode(texts)

    intents = {name: Intent(examples=tuple(group)) for name, group in groups.items()}
    # No likeness decides, so that every question goes the longest way.
    settings = Intents(intents=intents, similarity=1.0)
    router = await IntentRouter.build(settings, embed, encoder="bench")
    texts = [f"{text} Thanks!" for group in groups.values() for text in group] * passes
    wall_ms, own_ms = [], []
    for number, text in enumerate(texts):
        began, own_began = time.perf_counter(), time.thread_time()
        await router.route(LONG if number % 16 == 0 else text)
        wall_ms.append(1e3 * (time.perf_counter() - began))
        own_ms.append(1e3 * (time.thread_time() - own_began))
    return Latencies(wall_ms, own_ms)


def _row(id_: str, what: str, value: float, unit: str) -> Row:
    return Row(id=f"intent-{id_}", what=what, value=value, unit=unit)
