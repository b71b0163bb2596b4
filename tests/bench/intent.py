"""Measures intent routing: its time, encoding included, and how often each encoder is right.

Run it as `OMP_NUM_THREADS=1 python -m tests.bench.intent`.
"""

import asyncio
import json
import time
from pathlib import Path

import numpy as np
import yaml

from engine.config.routing import Intent, Intents
from engine.workflow.embeddings.minilm import Encoder
from engine.workflow.embeddings.static import StaticEncoder
from engine.workflow.routing.classifier import Classifier
from engine.workflow.routing.intent import IntentRouter

FIXTURE = Path(__file__).parents[1] / "engine/workflow/routing/intents.yaml"
FOLDS = 4
MOST_TOKENS = 64
PASSES = 4
LONG = "My question is about the following report, please read it to its end. " * 40


def sentences():
    written = yaml.safe_load(FIXTURE.read_text(encoding="utf-8"))
    outside = [str(text) for text in written.pop("outside")]
    return {name: [str(text) for text in texts] for name, texts in written.items()}, outside


def accuracy(encode, intents, outside):
    """By four folds: three train, the fourth is asked."""
    texts = [text for group in intents.values() for text in group]
    labels = np.array([name for name, group in intents.items() for _ in group])
    fold = np.array([n % FOLDS for group in intents.values() for n in range(len(group))])
    vectors, strange = encode(texts), encode(outside)
    right, sure, accepted = [], [], []
    for held in range(FOLDS):
        learn = fold != held
        classifier = Classifier.train(vectors[learn], list(labels[learn]), encoder="bench")
        probabilities = classifier.probabilities(vectors[~learn])
        right.extend(np.array(classifier.labels)[probabilities.argmax(1)] == labels[~learn])
        sure.extend(probabilities.max(1) >= 0.5)
        accepted.extend(classifier.probabilities(strange).max(1) >= 0.5)
    right, sure = np.array(right), np.array(sure)
    return {
        "accuracy": round(float(right.mean()), 3),
        "right_at_.5": round(float((right & sure).mean()), 3),
        "wrong_at_.5": round(float((~right & sure).mean()), 3),
        "outside_taken_at_.5": round(float(np.mean(accepted)), 3),
    }


async def latency(encode, intents):
    """Each question routed alone, the encoder in the same thread; one in 16 is long."""

    async def embed(texts):
        return encode(texts)

    settings = Intents(
        intents={name: Intent(examples=tuple(group)) for name, group in intents.items()},
        similarity=1.0,
    )
    router = await IntentRouter.build(settings, embed, encoder="bench")
    asked = [f"{text} Thanks!" for group in intents.values() for text in group] * PASSES
    asked = [LONG if n % 16 == 0 else text for n, text in enumerate(asked)]
    wall, own = [], []
    for text in asked:
        began, own_began = time.perf_counter(), time.thread_time()
        await router.route(text)
        wall.append(time.perf_counter() - began)
        own.append(time.thread_time() - own_began)
    kinds = {"": wall, "own_": own}
    return {
        f"{kind}p{q}_ms": round(float(np.percentile(seconds, q)) * 1e3, 2)
        for kind, seconds in kinds.items()
        for q in (50, 99)
    }


def measure():
    intents, outside = sentences()
    encoders = {
        "full": Encoder(),
        "full, 64 tokens": Encoder(most_tokens=MOST_TOKENS),
        "half the bits, 64 tokens": Encoder(most_tokens=MOST_TOKENS, half=True),
        "words only": StaticEncoder(),
    }
    return [
        {
            "what": f"intent by {name}",
            **accuracy(encoder.encode, intents, outside),
            **asyncio.run(latency(encoder.encode, intents)),
            "goal_p99_ms": 15.0,
        }
        for name, encoder in encoders.items()
    ]


if __name__ == "__main__":
    for row in measure():
        print(json.dumps(row))  # noqa: T201
