"""Where a cache keeps its entries: bytes by namespace and key, each for a while."""

from typing import NamedTuple, Protocol

from engine.errors import TrimtabError


class StoreGoneError(TrimtabError):
    """A store can't be reached, read or written now; a cache goes on without it."""


class Kept(NamedTuple):
    """An entry that was found, and how much longer it may be used."""

    value: bytes
    left_s: float


class Store(Protocol):
    """Keeps entries; those of one namespace are never found in another."""

    async def get(self, namespace: str, key: str) -> Kept | None:
        """The entry, unless it expired or was never put.

        Raises:
            StoreGoneError: Nobody can say.
        """
        ...

    async def put(self, namespace: str, key: str, value: bytes, ttl_s: float) -> None:
        """Keep the entry for so long at most, in place of an earlier one.

        Raises:
            StoreGoneError: It was not kept.
        """
        ...

    async def drop(self, namespace: str) -> None:
        """Forget everything of this namespace.

        Raises:
            StoreGoneError: Some of it may still be found.
        """
        ...

    async def close(self) -> None:
        """Give back connections and files."""
        ...
