"""Keeps a broken store from breaking requests: a miss, a count, and a pause before the next try."""

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from engine.workflow.caching.store import Kept, Store, StoreGoneError

T = TypeVar("T")
PAUSE_S = 5.0


class GuardedStore:
    """A store that never fails, because without it there is still an answer.

    A namespace that could not be dropped is not read again before the drop is made good.
    """

    def __init__(
        self,
        store: Store,
        *,
        pause_s: float = PAUSE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._pause_s = pause_s
        self._clock = clock
        self._paused_until = float("-inf")
        self._owed: set[str] = set()
        self.errors = 0
        """Of all calls so far; those left out during a pause are not among them."""

    async def get(self, namespace: str, key: str) -> Kept | None:
        """The entry; None also where the store can't say."""
        if not await self._settled(namespace):
            return None
        return await self._tried(lambda: self._store.get(namespace, key))

    async def put(self, namespace: str, key: str, value: bytes, ttl_s: float) -> None:
        """Keep the entry, if the store can."""
        if await self._settled(namespace):
            await self._tried(lambda: self._store.put(namespace, key, value, ttl_s))

    async def drop(self, namespace: str) -> None:
        """Forget everything of this namespace, now or before it is read again."""
        self._owed.add(namespace)
        await self._settled(namespace)

    async def close(self) -> None:
        """Give back connections and files."""
        await self._store.close()

    async def _settled(self, namespace: str) -> bool:
        if namespace not in self._owed:
            return True
        await self._tried(lambda: self._dropped(namespace))
        return namespace not in self._owed

    async def _dropped(self, namespace: str) -> None:
        await self._store.drop(namespace)
        self._owed.discard(namespace)

    async def _tried(self, call: Callable[[], Awaitable[T]]) -> T | None:
        if self._clock() < self._paused_until:
            return None
        try:
            return await call()
        except StoreGoneError:
            self.errors += 1
            self._paused_until = self._clock() + self._pause_s
            return None
