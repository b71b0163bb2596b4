"""A store in Redis or Valkey, which the processes of several machines share."""

import hashlib
from collections.abc import Awaitable
from typing import TypeVar

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from engine.workflow.caching.store import Kept, StoreGoneError

T = TypeVar("T")
TIMEOUT_S = 0.25
"""For a connection and for an answer: a cache that makes wait is worth nothing."""
PREFIX = "trimtab"
CONNECTIONS = 16
DROPPED_AT_ONCE = 1_000


class RedisStore:
    """Keeps entries under `trimtab:NAMESPACE:KEY`, where NAMESPACE is a hash."""

    def __init__(self, url: str) -> None:
        pool = BlockingConnectionPool.from_url(
            "redis" + url.removeprefix("valkey").removeprefix("redis"),
            max_connections=CONNECTIONS,
            timeout=TIMEOUT_S,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            # A try that failed is a miss; trying again is the next request's affair.
            retry=Retry(NoBackoff(), 0),
        )
        self._redis: Redis = Redis.from_pool(pool)

    async def get(self, namespace: str, key: str) -> Kept | None:
        """The entry, unless it expired.

        Raises:
            StoreGoneError: The server can't be reached, or refuses.
        """
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(_name(namespace, key))
        pipeline.pttl(_name(namespace, key))
        value, left_ms = await _answered(pipeline.execute())
        # Between the two commands the entry may have expired.
        return Kept(value, left_ms / 1e3) if value is not None and left_ms > 0 else None

    async def put(self, namespace: str, key: str, value: bytes, ttl_s: float) -> None:
        """Keep the entry for whole milliseconds, one at least.

        Raises:
            StoreGoneError: The server can't be reached, or refuses.
        """
        await _answered(self._redis.set(_name(namespace, key), value, px=max(1, int(ttl_s * 1e3))))

    async def drop(self, namespace: str) -> None:
        """Forget everything of this namespace, in every process.

        Raises:
            StoreGoneError: The server can't be reached, or refuses.
        """
        pattern = _name(namespace, "*")
        cursor = 0
        while True:
            cursor, names = await _answered(
                self._redis.scan(cursor, match=pattern, count=DROPPED_AT_ONCE)
            )
            if names:
                await _answered(self._redis.unlink(*names))
            if cursor == 0:
                return

    async def close(self) -> None:
        """Give back the connections."""
        await self._redis.aclose()


async def _answered(work: Awaitable[T]) -> T:
    try:
        return await work
    except (RedisError, OSError, TimeoutError) as error:
        raise StoreGoneError(f"cache in redis: {error}") from error


def _name(namespace: str, key: str) -> str:
    # A hash holds no sign that a pattern of Redis would read.
    return f"{PREFIX}:{hashlib.sha256(namespace.encode()).hexdigest()[:32]}:{key}"
