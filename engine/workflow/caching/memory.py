"""A store in this process: quick, bounded, gone with it."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from engine.config.caching import Memory
from engine.workflow.caching.store import Kept


@dataclass(frozen=True)
class _Entry:
    value: bytes
    expires: float
    size: int


class MemoryStore:
    """Keeps the entries that were used last, so many and so many bytes of them."""

    def __init__(
        self, settings: Memory | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings or Memory()
        self._clock = clock
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._bytes = 0

    async def get(self, namespace: str, key: str) -> Kept | None:
        """The entry, unless it expired or was pushed out."""
        place = (namespace, key)
        entry = self._entries.get(place)
        if entry is None:
            return None
        left_s = entry.expires - self._clock()
        if left_s <= 0.0:
            self._remove(place)
            return None
        self._entries.move_to_end(place)
        return Kept(entry.value, left_s)

    async def put(self, namespace: str, key: str, value: bytes, ttl_s: float) -> None:
        """Keep the entry; one that is larger than the whole store is not kept."""
        place = (namespace, key)
        self._remove(place)
        size = len(value) + len(namespace) + len(key)
        if size > self._settings.bytes or ttl_s <= 0.0:
            return
        self._entries[place] = _Entry(value, self._clock() + ttl_s, size)
        self._bytes += size
        while len(self._entries) > self._settings.entries or self._bytes > self._settings.bytes:
            self._remove(next(iter(self._entries)))

    async def drop(self, namespace: str) -> None:
        """Forget everything of this namespace."""
        for place in [place for place in self._entries if place[0] == namespace]:
            self._remove(place)

    async def close(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._bytes = 0

    def _remove(self, place: tuple[str, str]) -> None:
        entry = self._entries.pop(place, None)
        if entry is not None:
            self._bytes -= entry.size
