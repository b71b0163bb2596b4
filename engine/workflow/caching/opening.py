"""Opens the stores that an operator configured."""

from pathlib import Path

from engine.config.caching import Caching
from engine.errors import ConfigError
from engine.workflow.caching.guarded import GuardedStore
from engine.workflow.caching.levels import Levels
from engine.workflow.caching.memory import MemoryStore
from engine.workflow.caching.sqlite import SqliteStore
from engine.workflow.caching.store import Store


def opened(settings: Caching) -> Store:
    """Memory, and behind it the shared store where there is one; it never fails a request."""
    near = MemoryStore(settings.memory)
    if settings.store == "memory:":
        return near
    far = GuardedStore(shared(settings.store))
    return Levels(near, far, near_ttl_s=settings.memory.shared_ttl_s)


def shared(url: str) -> Store:
    """The store behind a URL; nothing is connected before its first use.

    Raises:
        ConfigError: The URL names no store.
    """
    scheme, _, rest = url.partition("://")
    match scheme:
        case "sqlite" if rest.startswith("/") and len(rest) > 1:
            return SqliteStore(Path(rest.removeprefix("/")).expanduser())
        case "redis" | "rediss" | "valkey" | "valkeys" if rest:
            # Most processes have none, and its client takes 7 MB.
            from engine.workflow.caching.redis import RedisStore

            return RedisStore(url)
        case _:
            raise ConfigError(
                f"store: got {url!r}; write `memory:`, `sqlite:///path` or `redis://host:port/db`"
            )
