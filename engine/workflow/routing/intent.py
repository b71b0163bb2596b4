"""Says what a request wants: by keywords, by likeness to examples, or by a trained classifier."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np

from engine.config.routing import FALLBACK, Intents
from engine.workflow.embedding import Embed, FloatArray
from engine.workflow.routing.classifier import Classifier

READ = 1_000
"""Characters that an intent is read from: what is wanted is said early."""


@dataclass(frozen=True)
class Routed:
    """A request's intent, and why."""

    intent: str
    by: Literal["keyword", "similarity", "classifier", "fallback"]
    confidence: float
    """1 for a keyword; else the likeness or the probability that decided, or did not suffice."""


@dataclass(frozen=True)
class _Examples:
    vectors: FloatArray
    centre: FloatArray


class IntentRouter:
    """Reads intents; it is built once, because its examples have to be encoded."""

    def __init__(
        self,
        settings: Intents,
        embed: Embed,
        examples: Mapping[str, FloatArray],
        classifier: Classifier | None,
    ) -> None:
        self._settings = settings
        self._embed = embed
        self._classifier = classifier
        self._examples = {name: _Examples(rows, _centre(rows)) for name, rows in examples.items()}
        self._keywords = {
            name: [_whole(keyword) for keyword in intent.keywords]
            for name, intent in settings.intents.items()
        }

    @classmethod
    async def build(cls, settings: Intents, embed: Embed, *, encoder: str) -> Self:
        """Encode the examples, and load the classifier or train one on them.

        Raises:
            ConfigError: The classifier's file can't be read, or is another encoder's.
        """
        examples = {
            name: await embed([text[:READ] for text in intent.examples])
            for name, intent in settings.intents.items()
            if intent.examples
        }
        classifier = None
        if settings.classifier is not None:
            classifier = Classifier.load(Path(settings.classifier), encoder=encoder)
        elif examples:
            labels = [name for name, rows in examples.items() for _ in rows]
            vectors = np.concatenate(list(examples.values()))
            classifier = Classifier.train(vectors, labels, encoder=encoder)
        return cls(settings, embed, examples, classifier)

    async def route(self, text: str) -> Routed:
        """The request's intent; the encoder is asked only where keywords don't decide."""
        read = text[:READ]
        named = self._named(read)
        if named is not None:
            return Routed(named, "keyword", 1.0)
        if self._classifier is None or not read.strip():
            return Routed(FALLBACK, "fallback", 0.0)
        vector = (await self._embed([read]))[0]
        intent, likeness = self._likest(vector)
        if likeness >= self._settings.similarity:
            return Routed(intent, "similarity", likeness)
        return self._classified(self._classifier, vector)

    def _named(self, text: str) -> str | None:
        found = {
            name: sum(pattern.search(text) is not None for pattern in patterns)
            for name, patterns in self._keywords.items()
        }
        most = max(found.values(), default=0)
        winners = [name for name, count in found.items() if count == most]
        return winners[0] if most and len(winners) == 1 else None

    def _likest(self, vector: FloatArray) -> tuple[str, float]:
        likeness = {
            name: float(np.max(each.vectors @ vector) + each.centre @ vector) / 2.0
            for name, each in self._examples.items()
        }
        name = max(likeness, key=likeness.__getitem__, default=FALLBACK)
        return name, likeness.get(name, -1.0)

    def _classified(self, classifier: Classifier, vector: FloatArray) -> Routed:
        probabilities = classifier.probabilities(vector[None])[0]
        best = int(np.argmax(probabilities))
        label, probability = classifier.labels[best], float(probabilities[best])
        # A classifier may have learned an intent that was dropped since.
        if probability < self._settings.threshold or label not in self._settings.intents:
            return Routed(FALLBACK, "fallback", probability)
        return Routed(label, "classifier", probability)


def _centre(vectors: FloatArray) -> FloatArray:
    mean = vectors.mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)


def _whole(keyword: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(keyword)}(?!\w)", re.IGNORECASE)
