"""Reads this process's memory before the store that is shared, and writes both."""

from engine.workflow.caching.store import Kept, Store


class Levels:
    """Two stores in one: what is near answers first, what is far fills it.

    A copy near by never outlives the entry it was made from, and at most `near_ttl_s`: that is how
    long another process may still give what was dropped here.
    """

    def __init__(self, near: Store, far: Store, *, near_ttl_s: float) -> None:
        self._near = near
        self._far = far
        self._near_ttl_s = near_ttl_s
        self._drops = 0

    async def get(self, namespace: str, key: str) -> Kept | None:
        """The entry, from the first level that holds it."""
        found = await self._near.get(namespace, key)
        if found is None:
            drops = self._drops
            found = await self._far.get(namespace, key)
            # What was dropped while it travelled is not copied.
            if found is not None and drops == self._drops:
                copied_s = min(found.left_s, self._near_ttl_s)
                await self._near.put(namespace, key, found.value, copied_s)
        return found

    async def put(self, namespace: str, key: str, value: bytes, ttl_s: float) -> None:
        """Keep the entry in both levels."""
        await self._near.put(namespace, key, value, min(ttl_s, self._near_ttl_s))
        await self._far.put(namespace, key, value, ttl_s)

    async def drop(self, namespace: str) -> None:
        """Forget everything of this namespace, the far level first, so that it refills nothing."""
        await self._far.drop(namespace)
        self._drops += 1
        await self._near.drop(namespace)

    async def close(self) -> None:
        """Close both."""
        await self._far.close()
        await self._near.close()
