"""Every tool that one variant's workflow may name, and the belts that are made of them."""

import importlib
from collections.abc import Mapping, Sequence

from engine.config import tools as config
from engine.config.problem import did_you_mean
from engine.errors import ConfigError
from engine.workflow.model.breaker import Breakers
from engine.workflow.run import Run
from engine.workflow.tooling.belt import Belt
from engine.workflow.tooling.builtin.network import call_api, fetch_page, web_search
from engine.workflow.tooling.builtin.plain import calculator, clock
from engine.workflow.tooling.builtin.sql import ask_database
from engine.workflow.tooling.builtin.web import Web
from engine.workflow.tooling.parts import Guard, Parts
from engine.workflow.tooling.registry import Registry
from engine.workflow.tooling.substitutes import arithmetic, utc_clock
from engine.workflow.tooling.tool import Arguments, Tool

HARMLESS = ("calculator", "clock")
"""Tools that read nothing of anybody's: granted to whoever names them."""


class Toolset:
    """Opened once for a variant; a belt holds only the tools that a step names."""

    def __init__(
        self,
        settings: config.Tools,
        parts: Parts,
        *,
        more: Sequence[Tool] = (),
        web: Web | None = None,
    ) -> None:
        granted = (*settings.scopes, *HARMLESS)
        self._settings = settings.model_copy(update={"scopes": granted})
        self._parts = parts
        self._tools = {tool.name: tool for tool in (calculator, clock, *more)}
        self._tools |= {tool.name: tool for tool in map(ask_database, settings.databases)}
        self._tools |= _on_the_web(settings, web)
        for name, entry in settings.functions.items():
            self._tools[name] = _imported(name, entry)
        Registry(self._tools.values()).refuse_unknown(settings)

    def belt(self, names: Sequence[str]) -> Belt:
        """A belt of these tools.

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
        settings = self._settings.model_copy(update={"prefetch": likely})
        return Belt(registry, settings, self._parts)

    def changes(self, name: str) -> bool:
        """Whether a call leaves something behind."""
        return self._tool(name).effect != "read"

    def _tool(self, name: str) -> Tool:
        if name not in self._tools:
            hint = did_you_mean(name, self._tools)
            raise ConfigError(f"tools: there is no tool {name!r}; {hint}")
        return self._tools[name]


async def declared(tool: Tool, arguments: Arguments, run: Run) -> bool:
    """Allows a call that the workflow itself makes: whoever wrote the step decided it."""
    return True


def guard_of(breakers: Breakers) -> Guard:
    """Leaves a tool that keeps failing alone for a while."""
    return lambda key: breakers.of("tool", key).guard(_is_fault)


def _is_fault(failure: BaseException) -> bool:
    # Arguments that don't fit say nothing about the tool.
    return isinstance(failure, Exception) and getattr(failure, "code", "") != "tool_arguments"


SUBSTITUTES = (utc_clock("clock"), arithmetic("calculator"))


def _on_the_web(settings: config.Tools, web: Web | None) -> Mapping[str, Tool]:
    if web is None:
        return {}
    tools = [fetch_page(web), call_api(web)]
    if settings.search is not None:
        tools.append(web_search(web, settings.search))
    return {tool.name: tool for tool in tools}


def _imported(name: str, entry: str) -> Tool:
    module, _, attribute = entry.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"tools.functions.{name}: {entry} can't be found: {error}") from error
    if not isinstance(found, Tool):
        kind = type(found).__name__
        raise ConfigError(f"tools.functions.{name}: {entry} is {kind}; put `@tool(...)` over it")
    if found.name != name:
        raise ConfigError(f"tools.functions.{name}: {entry} calls itself {found.name!r}; use that")
    return found
