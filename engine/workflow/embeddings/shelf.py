"""Keeps the models that are asked for in memory, as many as there is room for."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Generic, NamedTuple, Protocol, TypeVar

from engine.errors import ConfigError


class Model(Protocol):
    """What a shelf holds: ready for requests, of a known size, and closed at its end."""

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        ...

    async def close(self) -> None:
        """Let go of everything; nobody uses it any more."""
        ...


M = TypeVar("M", bound=Model)


class Room(NamedTuple):
    """How much a shelf may hold."""

    models: int
    bytes: float


class _Place(Generic[M]):
    """A model that is here or on its way, and those who use it."""

    def __init__(self, coming: asyncio.Task[M]) -> None:
        self.coming = coming
        self.users = 0
        self.retired = False

    @property
    def model(self) -> M | None:
        """The model, once it is ready."""
        done = self.coming.done() and not self.coming.cancelled()
        return self.coming.result() if done and self.coming.exception() is None else None


class Shelf(Generic[M]):
    """Models by name, loaded when first asked for; the least recently used makes room.

    A model that has to go, because another needs its place or a newer one took it, answers
    those who use it already and is closed after the last of them. So no request is dropped, and
    for that long there is more in memory than the room says.
    """

    def __init__(self, load: Callable[[str], Awaitable[M]], room: Room) -> None:
        """`load` answers with a model that is ready for requests, and leaves the loop free."""
        self._load = load
        self._room = room
        self._places: OrderedDict[str, _Place[M]] = OrderedDict()
        self._refused: dict[str, ConfigError] = {}
        self._renewing = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def using(self, name: str) -> AsyncIterator[M]:
        """The model of this name for as long as the block lasts; whoever comes first waits for it.

        Raises:
            ConfigError: It can't be loaded, or takes more memory than there may be. That is
                remembered until it is renewed or dropped.
        """
        if name in self._refused:
            raise self._refused[name]
        if name not in self._places:
            place = self._places[name] = self._begun(name)
            place.coming.add_done_callback(lambda _: self._arrived(name, place))
            self._make_room()
        place = self._places[name]
        self._places.move_to_end(name)
        place.users += 1
        try:
            # One who goes away leaves the loading to the others.
            yield await asyncio.shield(place.coming)
        finally:
            place.users -= 1
            self._release(place)

    async def renew(self, name: str) -> None:
        """Load a model once more, beside the one in use, and swap them when the new one is ready.

        Raises:
            ConfigError: It can't be loaded or is too large; the old one stays.
        """
        async with self._renewing:
            fresh = self._begun(name)
            await asyncio.shield(fresh.coming)
            self._refused.pop(name, None)
            old = self._places.get(name)
            self._places[name] = fresh
            self._places.move_to_end(name)
            if old is not None:
                self._retire(old)
            self._make_room()

    def drop(self, name: str) -> None:
        """Take a model away; those who use it are still answered."""
        self._refused.pop(name, None)
        if (place := self._places.pop(name, None)) is not None:
            self._retire(place)

    def __contains__(self, name: str) -> bool:
        """Whether it is here or on its way."""
        return name in self._places

    def peek(self, name: str) -> M | None:
        """The model of this name, if it is ready; nobody counts as its user."""
        place = self._places.get(name)
        return place.model if place is not None else None

    def held(self) -> Iterator[tuple[str, M, int]]:
        """Every model that is ready, with how many use it, the least recently used first."""
        for name, place in self._places.items():
            if place.model is not None:
                yield name, place.model, place.users

    async def close(self) -> None:
        """Close every model, whoever uses it, and wait until that is done."""
        for place in self._places.values():
            self._close(place)
        self._places.clear()
        if self._closing:
            await asyncio.wait(self._closing)

    def _begun(self, name: str) -> _Place[M]:
        async def coming() -> M:
            model = await self._load(name)
            if model.bytes > self._room.bytes:
                await model.close()
                size, most = (f"{n / 1e6:.0f} MB" for n in (model.bytes, self._room.bytes))
                raise ConfigError(f"model {name} takes {size}; `max_mb` lets it have {most}")
            return model

        return _Place(asyncio.create_task(coming(), name=f"load {name}"))

    def _arrived(self, name: str, place: _Place[M]) -> None:
        if self._places.get(name) is not place:
            return
        if place.model is None:
            self._retire(self._places.pop(name))
            if isinstance(error := place.coming.exception(), ConfigError):
                self._refused[name] = error
        self._make_room()

    def _make_room(self) -> None:
        while len(self._places) > 1 and self._is_over():
            _, oldest = self._places.popitem(last=False)
            self._retire(oldest)

    def _is_over(self) -> bool:
        taken = sum(model.bytes for _, model, _ in self.held())
        return len(self._places) > self._room.models or taken > self._room.bytes

    def _retire(self, place: _Place[M]) -> None:
        place.retired = True
        self._release(place)

    def _release(self, place: _Place[M]) -> None:
        if place.retired and not place.users:
            self._close(place)

    def _close(self, place: _Place[M]) -> None:
        task = asyncio.create_task(_closed(place))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _closed(place: _Place[M]) -> None:
    await asyncio.wait([place.coming])
    if place.model is not None:
        await place.model.close()
