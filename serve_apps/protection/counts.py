"""Where the counts of what every key had are kept: in memory, or in a Redis that all share."""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, TypeVar

from limits import RateLimitItem
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter as SharedFixed
from limits.aio.strategies import SlidingWindowCounterRateLimiter as SharedSliding
from limits.errors import StorageError
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter, SlidingWindowCounterRateLimiter

ANSWER_S = 0.2
ALONE_S = 5.0

T = TypeVar("T")
log = logging.getLogger("ray.serve")


class Left(NamedTuple):
    """What remains of a limit, and when more of it does."""

    remaining: int
    reset_at: float
    """Unix time."""


class Counts(Protocol):
    """Counts by limit and name.

    What is known beforehand is counted in a sliding window, which has no edge to burst over; what
    an answer turns out to have cost is owed in full, even past the limit, which only a window
    with a beginning can keep.
    """

    async def hit(self, limit: RateLimitItem, name: str) -> bool:
        """Count one if the limit still allows it; otherwise nothing is counted."""
        ...

    async def hits_left(self, limit: RateLimitItem, name: str) -> Left:
        """What remains for `hit`."""
        ...

    async def spend(self, limit: RateLimitItem, name: str, amount: int) -> None:
        """Count what was had, over the limit too."""
        ...

    async def unspent(self, limit: RateLimitItem, name: str) -> Left:
        """What remains of what `spend` counts."""
        ...


class LocalCounts:
    """Counts of this process alone."""

    def __init__(self) -> None:
        storage = MemoryStorage()
        self._sliding = SlidingWindowCounterRateLimiter(storage)
        self._fixed = FixedWindowRateLimiter(storage)

    async def hit(self, limit: RateLimitItem, name: str) -> bool:
        """Count one if the limit still allows it."""
        return self._sliding.hit(limit, name)

    async def hits_left(self, limit: RateLimitItem, name: str) -> Left:
        """What remains for `hit`."""
        stats = self._sliding.get_window_stats(limit, name)
        return Left(stats.remaining, stats.reset_time)

    async def spend(self, limit: RateLimitItem, name: str, amount: int) -> None:
        """Count what was had."""
        self._fixed.hit(limit, name, cost=amount)

    async def unspent(self, limit: RateLimitItem, name: str) -> Left:
        """What remains of what `spend` counts."""
        stats = self._fixed.get_window_stats(limit, name)
        return Left(stats.remaining, stats.reset_time)


class SharedCounts:
    """Counts that all gateways share, in a Redis.

    A Redis that is away takes no request down: for a while this process counts for itself.
    """

    def __init__(self, url: str) -> None:
        storage = RedisStorage(
            f"async+{url}",
            wrap_exceptions=True,
            implementation="redispy",
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
        )
        self._sliding = SharedSliding(storage)
        self._fixed = SharedFixed(storage)
        self._alone = LocalCounts()
        self._alone_until = 0.0

    async def hit(self, limit: RateLimitItem, name: str) -> bool:
        """Count one if the limit still allows it."""
        return await self._either(
            lambda: self._sliding.hit(limit, name), lambda: self._alone.hit(limit, name)
        )

    async def hits_left(self, limit: RateLimitItem, name: str) -> Left:
        """What remains for `hit`."""

        async def shared() -> Left:
            stats = await self._sliding.get_window_stats(limit, name)
            return Left(stats.remaining, stats.reset_time)

        return await self._either(shared, lambda: self._alone.hits_left(limit, name))

    async def spend(self, limit: RateLimitItem, name: str, amount: int) -> None:
        """Count what was had."""

        async def shared() -> None:
            await self._fixed.hit(limit, name, cost=amount)

        await self._either(shared, lambda: self._alone.spend(limit, name, amount))

    async def unspent(self, limit: RateLimitItem, name: str) -> Left:
        """What remains of what `spend` counts."""

        async def shared() -> Left:
            stats = await self._fixed.get_window_stats(limit, name)
            return Left(stats.remaining, stats.reset_time)

        return await self._either(shared, lambda: self._alone.unspent(limit, name))

    async def _either(
        self, shared: Callable[[], Awaitable[T]], alone: Callable[[], Awaitable[T]]
    ) -> T:
        if time.monotonic() >= self._alone_until:
            try:
                return await shared()
            except StorageError as error:
                self._alone_until = time.monotonic() + ALONE_S
                why = error.storage_error
                log.warning("rate limits: Redis is away (%s); this gateway counts alone", why)
        return await alone()
