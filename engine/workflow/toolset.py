"""Every tool that one variant's workflow may name, and the belts that are made of them."""

import asyncio
import hashlib
import importlib
import json
from collections.abc import Iterator, Sequence
from typing import Self

from engine.config import tools as config
from engine.config.model import Breaker
from engine.config.problem import did_you_mean
from engine.errors import ConfigError
from engine.workflow.failure import ToolError
from engine.workflow.model.breaker import Breakers
from engine.workflow.run import Run
from engine.workflow.tooling.belt import Belt
from engine.workflow.tooling.builtin.plain import Find
from engine.workflow.tooling.parts import Approve, Guard, Memory, Parts
from engine.workflow.tooling.registry import Registry
from engine.workflow.tooling.stock import stocked
from engine.workflow.tooling.substitutes import utc_clock
from engine.workflow.tooling.tool import Arguments, Tool

HARMLESS = ("calculator", "clock")
"""Tools that read nothing of anybody's: granted to whoever names them."""


class Toolset:
    """The opened tools of one variant; whoever opens it closes it.

    The tools live in a task of their own, because a connection has to be closed by the task that
    opened it.
    """

    def __init__(
        self, settings: config.Tools, memory: Memory | None = None, *, asks: bool = False
    ) -> None:
        granted = (*settings.scopes, *HARMLESS)
        self._settings = settings.model_copy(update={"scopes": granted})
        self._memory = memory
        self._asks = asks
        self._registry = Registry()
        self._guard = guard_of(Breakers(Breaker()))
        self._done = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    @classmethod
    async def opened(
        cls,
        settings: config.Tools,
        find: Find | None = None,
        *,
        memory: Memory | None = None,
        asks: bool = False,
    ) -> Self:
        """Open every tool that the settings name.

        `memory` keeps results, where a tool says so. With `asks`, calls that need approval wait
        for a person's; without, they are refused.

        Raises:
            ConfigError: A tool is missing, or what it needs is.
        """
        made = cls(settings, memory, asks=asks)
        ready: asyncio.Future[Registry] = asyncio.get_running_loop().create_future()
        made._keeping = asyncio.create_task(made._keep(find, ready))
        made._registry = await ready
        return made

    async def close(self) -> None:
        """Close what was opened."""
        self._done.set()
        if self._keeping is not None:
            await self._keeping

    def belt(self, names: Sequence[str], *, declared: bool = False) -> Belt:
        """A belt of these tools; `declared` allows what only a person may allow elsewhere.

        Raises:
            ConfigError: One does not exist, or is not granted.
        """
        registry = Registry(self._tool(name) for name in names)
        offered = registry.offered(self._settings)
        for name in names:
            if name not in offered:
                scopes = ", ".join(self._tool(name).scopes)
                raise ConfigError(f"tools: {name!r} is not granted; add {scopes} to `tools.scopes`")
        likely = {
            intent: tuple(read for read in reads if read.tool in names)
            for intent, reads in self._settings.prefetch.items()
        }
        settings = self._settings.model_copy(update={"prefetch": likely, "settings": {}})
        asking: Approve | None = _by_a_person if self._asks else None
        approve = _declared if declared else asking
        parts = Parts(
            approve=approve,
            guard=self._guard,
            memory=self._memory,
            substitutes=(utc_clock("clock"),),
        )
        return Belt(Registry(offered.values()), settings, parts)

    def changes(self, name: str) -> bool:
        """Whether a call leaves something behind."""
        return self._tool(name).effect != "read"

    def _tool(self, name: str) -> Tool:
        tools = self._registry.all()
        if name not in tools:
            raise ConfigError(f"tools: there is no tool {name!r}; {did_you_mean(name, tools)}")
        return tools[name]

    async def _keep(self, find: Find | None, ready: asyncio.Future[Registry]) -> None:
        try:
            async with stocked(self._settings, find, _own(self._settings)) as registry:
                ready.set_result(registry)
                await self._done.wait()
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)


def guard_of(breakers: Breakers) -> Guard:
    """Leaves a tool that keeps failing alone for a while."""
    return lambda key: breakers.of("tool", key).guard(lambda error: isinstance(error, ToolError))


async def _declared(tool: Tool, arguments: Arguments, run: Run) -> bool:
    """Allows a call that the workflow itself makes: whoever wrote the step decided it."""
    return True


async def _by_a_person(tool: Tool, arguments: Arguments, run: Run) -> bool | None:
    """What a person said of this very call; where nobody has, the request asks when it ends."""
    told = json.dumps(arguments, sort_keys=True, default=str)
    digest = hashlib.sha256(told.encode()).hexdigest()[:12]
    id_ = f"{run.id}:{tool.name}:{digest}"
    if id_ not in run.decided:
        run.asked[id_] = f"The model wants to call `{tool.name}` with {told[:500]}. Allow it?"
    return run.decided.get(id_)


def _own(settings: config.Tools) -> Iterator[Tool]:
    for name, entry in settings.functions.items():
        where = f"tools.functions.{name}: {entry}"
        module, _, attribute = entry.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"{where} can't be found: {error}") from error
        if not isinstance(found, Tool):
            raise ConfigError(f"{where} is {type(found).__name__}; put `@tool(...)` over it")
        if found.name != name:
            raise ConfigError(f"{where} calls itself {found.name!r}; write that")
        yield found
