"""One tool: what the language model is told of it, its effect, and how it is called."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio.to_thread

from engine.config import tools as config
from engine.errors import ConfigError
from engine.workflow.tooling.schema import Function, signature_of

Arguments = Mapping[str, Any]
RETRIES_OF_A_READ = 2


@dataclass(frozen=True)
class Tool:
    """A tool as it is registered; whoever calls it goes through a belt."""

    name: str
    effect: config.Effect
    schema: Mapping[str, Any]
    """In the OpenAI tools protocol."""
    check: Callable[[Arguments], dict[str, Any]]
    """Gives the arguments the types that `invoke` takes, or raises ToolError."""
    invoke: Callable[[dict[str, Any]], Awaitable[object]]
    settings: config.Tool

    def __post_init__(self) -> None:
        if self.effect != "read" and (self.settings.retries or self.settings.cache_ttl_s):
            raise ConfigError(
                f"tool {self.name!r}: its effect is {self.effect}, so a call is neither retried "
                "nor remembered; remove `retries` and `cache_ttl_s`"
            )

    @property
    def scopes(self) -> tuple[str, ...]:
        """What must be granted; a tool that names nothing is granted by its own name."""
        return self.settings.scopes or (self.name,)

    @property
    def retries(self) -> int:
        """More tries after a failure that may pass; none where a try may have had its effect."""
        if self.effect != "read":
            return 0
        return RETRIES_OF_A_READ if self.settings.retries is None else self.settings.retries

    @property
    def needs_approval(self) -> bool:
        """A person allows each call."""
        if self.settings.needs_approval is None:
            return self.effect == "irreversible"
        return self.settings.needs_approval


def tool(
    *,
    effect: config.Effect,
    name: str | None = None,
    scopes: tuple[str, ...] = (),
    timeout_s: float = 30.0,
    cost_usd: float = 0.0,
    cache_ttl_s: float | None = None,
) -> Callable[[Function], Tool]:
    """Make a tool of a typed function; one that is not async runs in a thread.

    A thread can't be stopped but only left behind, so a function that may hang should be async.
    """
    settings = config.Tool(
        scopes=scopes, timeout_s=timeout_s, cost_usd=cost_usd, cache_ttl_s=cache_ttl_s
    )

    def made(function: Function) -> Tool:
        signature = signature_of(function, name)
        return Tool(
            name=signature.name,
            effect=effect,
            schema=signature.schema(),
            check=signature.checked,
            invoke=_invoker(function),
            settings=settings,
        )

    return made


def _invoker(function: Function) -> Callable[[dict[str, Any]], Awaitable[object]]:
    async def awaited(arguments: dict[str, Any]) -> object:
        return await function(**arguments)

    async def threaded(arguments: dict[str, Any]) -> object:
        # Not the loop's own few threads: functions that hang would keep them from everyone else.
        work = functools.partial(function, **arguments)
        return await anyio.to_thread.run_sync(work, abandon_on_cancel=True)

    return awaited if inspect.iscoroutinefunction(function) else threaded
