"""The encoders of one process by name: loaded when asked for, renewed while they answer."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from engine.config.embedding import EmbeddingModel, Embeddings
from engine.config.problem import did_you_mean
from engine.errors import NotFoundError
from engine.workflow.embedding import FloatArray
from engine.workflow.embeddings.batcher import Batched, Batcher
from engine.workflow.embeddings.encoder import Encoding, device_of, encoder_of
from engine.workflow.embeddings.shelf import Room, Shelf
from engine.workflow.embeddings.sweep import Swept

Read = Callable[[EmbeddingModel], Encoding]
"""Reads a model from disk; blocks while it works."""


class Encoded(NamedTuple):
    """What a model made of some texts."""

    vectors: FloatArray
    """Unit-norm, one row a text."""
    version: str
    """Of the model; vectors of two versions can't be compared."""


@dataclass(frozen=True)
class Figures:
    """What a model in memory takes and has done."""

    name: str
    version: str
    bytes: int
    users: int
    """Requests that are with it now."""
    batch: int
    """Texts that it takes at once, as its warm-up found best."""
    rates: tuple[Swept, ...]
    counts: Batched


class Warm:
    """A model that was warmed up, behind its own batcher."""

    def __init__(self, encoder: Encoding, batcher: Batcher, version: str) -> None:
        self.encoder = encoder
        self.batcher = batcher
        self.version = version
        self.rates: tuple[Swept, ...] = ()

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return self.encoder.bytes

    async def close(self) -> None:
        """End its batcher."""
        await self.batcher.close()


class Models:
    """The encoders that the settings name, as many in memory as they allow."""

    def __init__(self, settings: Embeddings, read: Read | None = None) -> None:
        """`read` takes the place of reading from disk onto the settings' device."""
        self._settings = settings
        self._models = dict(settings.models)
        self._read = read
        room = Room(settings.max_loaded, settings.max_mb * 1e6)
        self._shelf: Shelf[Warm] = Shelf(self._warm, room)

    async def encode(self, name: str, texts: Sequence[str]) -> Encoded:
        """Vectors of these texts by the model of this name, which is loaded if need be.

        Raises:
            NotFoundError: There is no model of this name.
            ConfigError: It can't be loaded.
        """
        self._known(name)
        async with self._shelf.using(name) as model:
            return Encoded(await model.batcher(texts), model.version)

    async def tokens(self, name: str, texts: Sequence[str]) -> int:
        """How many tokens the model reads of these texts.

        Raises:
            NotFoundError, ConfigError: As `encode`.
        """
        self._known(name)
        async with self._shelf.using(name) as model:
            return await asyncio.to_thread(model.encoder.tokens, texts)

    async def load(self, name: str) -> Figures:
        """Have a model ready before anyone asks for it.

        Raises:
            NotFoundError, ConfigError: As `encode`.
        """
        self._known(name)
        async with self._shelf.using(name) as model:
            return _figures(name, model, users=0)

    async def update(self, models: Mapping[str, EmbeddingModel]) -> None:
        """Take on other models; each that is in memory is swapped once the new one is warm.

        Raises:
            ConfigError: One of the new ones can't be loaded; its old one stays, and those that
                come after it.
        """
        for name in self._models.keys() - models.keys():
            del self._models[name]
            self._shelf.drop(name)
        for name, model in models.items():
            if (old := self._models.get(name)) != model:
                await self._take_on(name, model, old)

    async def _take_on(self, name: str, model: EmbeddingModel, old: EmbeddingModel | None) -> None:
        self._models[name] = model
        if old is None or name not in self._shelf:
            # It may have been refused as it was.
            self._shelf.drop(name)
            return
        try:
            await self._shelf.renew(name)
        except BaseException:
            self._models[name] = old
            raise

    def version(self, name: str) -> str | None:
        """The version that answers now; None while none is in memory."""
        model = self._shelf.peek(name)
        return model.version if model is not None else None

    def names(self) -> list[str]:
        """What may be asked for."""
        return list(self._models)

    def figures(self) -> list[Figures]:
        """Of every model in memory, the least recently used first."""
        return [_figures(name, model, users) for name, model, users in self._shelf.held()]

    async def close(self) -> None:
        """Close every model."""
        await self._shelf.close()

    async def _warm(self, name: str) -> Warm:
        settings = self._models[name]
        encoder = await asyncio.to_thread(self._read or self._from_disk, settings)
        batcher = Batcher(encoder.encode, most_wait_s=self._settings.max_wait_s)
        model = Warm(encoder, batcher, settings.digest)
        try:
            model.rates = tuple(await batcher.warm_up())
        except BaseException:
            await model.close()
            raise
        return model

    def _from_disk(self, model: EmbeddingModel) -> Encoding:
        device = device_of(self._settings.device)
        return encoder_of(model, device=device, threads=self._settings.threads)

    def _known(self, name: str) -> None:
        if name not in self._models:
            near = did_you_mean(name, self._models)
            raise NotFoundError(f"model: there is no embedding model {name!r}; {near}")


def _figures(name: str, model: Warm, users: int) -> Figures:
    return Figures(
        name=name,
        version=model.version,
        bytes=model.bytes,
        users=users,
        batch=model.batcher.size,
        rates=model.rates,
        counts=model.batcher.counts(),
    )
