"""The tools that one variant's agents may use; every call of a model comes through here."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from engine.config import tools as config
from engine.workflow.reply import Message, ToolCall
from engine.workflow.run import Run
from engine.workflow.tooling.parts import Parts
from engine.workflow.tooling.prefetch import Prefetch, likely
from engine.workflow.tooling.registry import Registry
from engine.workflow.tooling.turn import Turn


class Belt:
    """A Toolbelt over a registry; a tool registered later is offered from the next turn on."""

    def __init__(
        self, registry: Registry, settings: config.Tools, parts: Parts | None = None
    ) -> None:
        self._registry = registry
        self._settings = settings
        self._parts = parts or Parts()
        self._prefetch = Prefetch(self._parts)
        # A setting that no tool can keep is refused now, not in the middle of a request.
        registry.offered(settings)

    def schemas(self) -> Sequence[Mapping[str, Any]]:
        """What the language model is told of them, in the OpenAI tools protocol."""
        return [tool.schema for tool in self._registry.offered(self._settings).values()]

    async def call(self, calls: Sequence[ToolCall], run: Run) -> list[Message]:
        """The tool messages that answer these calls, in the calls' order.

        A call that fails answers with a text that begins with `error:`.

        Raises:
            DeadlineError: The request's time ran out.
            BudgetError: The request's steps are used up; none of the calls was made.
        """
        # All are counted before the first begins: stopping halfway could cut an effect short.
        for _ in calls:
            run.step(is_last=False)
        turn = Turn(
            calls,
            self._registry.offered(self._settings),
            self._parts,
            self._prefetch,
            self._settings.max_parallel,
        )
        return await turn.answers(run)

    @asynccontextmanager
    async def prefetching(self, intent: str, question: str, run: Run) -> AsyncIterator[None]:
        """Start the intent's likely reads; those nobody asks for end with the block."""
        saves = run.level == "degraded"
        reads = () if saves else self._settings.prefetch.get(intent, ())
        calls = likely(reads, question, self._registry.offered(self._settings))
        async with self._prefetch.during(calls, run):
            yield
