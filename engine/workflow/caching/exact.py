"""Remembers answers to the very same prompt."""

import json
from dataclasses import asdict

from engine.config.caching import Exact
from engine.workflow.caching.counts import Counts
from engine.workflow.caching.prompt import Prompt
from engine.workflow.caching.store import Store
from engine.workflow.reply import Reply, ToolCall, Usage

NOTHING_USED = Usage(0, 0, 0.0)
"""What a remembered answer takes."""


class ExactCache:
    """Answers by prompt, in a store that may be shared."""

    def __init__(self, store: Store, settings: Exact) -> None:
        self._store = store
        self._settings = settings
        self._counts = Counts()

    def fits(self, prompt: Prompt) -> bool:
        """Whether answers to this prompt are remembered at all."""
        return prompt.llm.temperature <= self._settings.max_temperature

    def keeps(self, reply: Reply) -> bool:
        """Whether the reply is complete, so that another request may get it."""
        if reply.tool_calls:
            return self._settings.tool_calls and reply.finish_reason in ("tool_calls", "stop")
        return reply.finish_reason == "stop" and bool(reply.text.strip())

    async def get(self, prompt: Prompt) -> Reply | None:
        """The answer, at no charge; None where it isn't remembered."""
        found = await self._store.get(f"prompt:{prompt.namespace}", prompt.key)
        reply = None if found is None else _read(found.value)
        self._counts.looked(hit=reply is not None)
        return reply

    async def put(self, prompt: Prompt, reply: Reply) -> None:
        """Remember a reply that `keeps` allows."""
        value = json.dumps({**asdict(reply), "usage": None}).encode()
        namespace = f"prompt:{prompt.namespace}"
        await self._store.put(namespace, prompt.key, value, self._settings.ttl_s)

    async def drop(self, namespace: str) -> None:
        """Forget a variant's answers."""
        await self._store.drop(f"prompt:{namespace}")

    def counts(self) -> Counts:
        """What was found so far."""
        return self._counts


def _read(value: bytes) -> Reply | None:
    try:
        kept = json.loads(value)
        calls = tuple(ToolCall(**call) for call in kept["tool_calls"])
        return Reply(kept["text"], calls, NOTHING_USED, kept["model"], kept["finish_reason"])
    except (ValueError, KeyError, TypeError):
        # Another release wrote it, or nobody did: a miss.
        return None
