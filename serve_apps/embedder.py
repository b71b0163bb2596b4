"""Turns texts into vectors for every slot, so that each encoder is in memory once."""

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from ray import serve

from engine.config.embedding import PACKAGED, Embeddings
from engine.workflow.embedding import FloatArray
from engine.workflow.embeddings.models import Models

REMEMBERED = 8_192
RECENT = 2_048
"""Texts that a process is told of when it seats a variant: 3 MB of vectors."""

log = logging.getLogger("ray.serve")


class Embedder:
    """The encoders by name; the packaged one is ready before it takes requests.

    It remembers vectors by text. A vector depends on nothing else than the model, so what one
    variant asked for may serve another: without that, every newly seated variant would look slow
    at first.
    """

    async def __init__(self, settings: Mapping[str, Any] | None = None) -> None:  # type: ignore[misc]
        # Serve awaits a constructor, whatever the type checker says.
        self._models = Models(Embeddings.model_validate(settings or {}))
        self._known: OrderedDict[tuple[str, str, str], FloatArray] = OrderedDict()
        figures = await self._models.load(PACKAGED)
        log.info("batches of %d texts, by %s", figures.batch, figures.rates)

    async def encode(self, texts: Sequence[str], model: str = PACKAGED) -> FloatArray:
        """Unit-norm vectors, one row a text.

        Raises:
            NotFoundError: There is no model of this name.
            ConfigError: It can't be loaded.
        """
        version = self._models.version(model)
        known = {} if version is None else self._remembered(model, version, texts)
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            encoded = await self._models.encode(model, new)
            if known and encoded.version != version:
                # Swapped on the way: two versions' vectors can't stand in one answer.
                return await self.encode(texts, model)
            known |= zip(new, encoded.vectors, strict=True)
            version = encoded.version
        for text in texts:
            key = (model, str(version), text)
            self._known[key] = known[text]
            self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return np.stack([known[text] for text in texts])

    async def embed(self, model: str, texts: Sequence[str]) -> tuple[FloatArray, int]:
        """Vectors, and how many tokens were read for them.

        Raises:
            NotFoundError, ConfigError: As `encode`.
        """
        vectors = await self.encode(texts, model)
        return vectors, await self._models.tokens(model, texts)

    async def update(self, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Take on other models while requests go on; answers as `figures`.

        Raises:
            ConfigError: One of them can't be loaded; its old one stays.
        """
        await self._models.update(Embeddings.model_validate(settings).models)
        return self.figures()

    def recent(self) -> tuple[list[str], FloatArray]:
        """The last texts that the packaged model was asked for, the newest last, with vectors."""
        version = str(self._models.version(PACKAGED))
        found = [
            (text, vector)
            for (model, made, text), vector in self._known.items()
            if (model, made) == (PACKAGED, version)
        ][-RECENT:]
        vectors = np.array([vector for _, vector in found], dtype=np.float32)
        return [text for text, _ in found], vectors

    def names(self) -> list[str]:
        """The models that may be asked for."""
        return self._models.names()

    def figures(self) -> list[dict[str, Any]]:
        """What every model in memory takes and has done."""
        return [asdict(each) for each in self._models.figures()]

    def _remembered(self, model: str, version: str, texts: Sequence[str]) -> dict[str, FloatArray]:
        keys = {text: (model, version, text) for text in texts}
        return {text: self._known[key] for text, key in keys.items() if key in self._known}


def embedder_app(settings: Embeddings | None = None) -> serve.Application:
    """The embedder as a Serve application without a route."""
    settings = settings or Embeddings()
    deployment = serve.deployment(
        name="Embedder",
        num_replicas=1,
        max_ongoing_requests=256,
        ray_actor_options={"num_cpus": 0.1, "num_gpus": settings.gpus},
    )
    return deployment(Embedder).bind(settings.model_dump(mode="json"))
