"""Remembers the results of tools that only read."""

import re
from collections.abc import Mapping
from typing import Any

from engine.config.caching import ToolTtl
from engine.workflow.caching.counts import Counts
from engine.workflow.caching.keys import canonical
from engine.workflow.caching.store import Store

_WORD = re.compile(r"[a-z0-9]+")


def ttl_s(tool: str, settings: ToolTtl) -> float:
    """How long this tool's results are remembered, by its name or a word of it."""
    name = tool.lower()
    for known in (name, *_WORD.findall(name)):
        if known in settings.by_tool_s:
            return settings.by_tool_s[known]
    return settings.usual_s


def tool_key(tool: str, arguments: Mapping[str, Any]) -> str:
    """The same for the same call, whatever the order of its arguments."""
    return canonical(tool, dict(arguments))


class ToolCache:
    """One variant's tool results; the caller puts successes only."""

    def __init__(self, store: Store, namespace: str) -> None:
        self._store = store
        self._namespace = f"tool:{namespace}"
        self._counts = Counts()

    async def get(self, key: str) -> str | None:
        """The result, if it is remembered."""
        found = await self._store.get(self._namespace, key)
        self._counts.looked(hit=found is not None)
        return None if found is None else found.value.decode(errors="surrogatepass")

    async def put(self, key: str, text: str, ttl_s: float) -> None:
        """Remember a result for so long."""
        # A tool may answer half a surrogate pair, which strict UTF-8 has no bytes for.
        await self._store.put(self._namespace, key, text.encode(errors="surrogatepass"), ttl_s)

    async def drop(self) -> None:
        """Forget the variant's results."""
        await self._store.drop(self._namespace)

    def counts(self) -> Counts:
        """What was found so far."""
        return self._counts
