"""The tools that exist, and which of them a variant is offered."""

import dataclasses
from collections.abc import Iterable, Mapping

from engine.config import tools as config
from engine.config.problem import did_you_mean
from engine.errors import ConfigError
from engine.workflow.tooling.tool import Tool


class Registry:
    """Takes tools at any time; a name is given once."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for tool in tools:
            self.register(tool)

    def register(self, tool: Tool) -> None:
        """Add a tool.

        Raises:
            ConfigError: The name is taken.
        """
        if tool.name in self._tools:
            raise ConfigError(f"tool {tool.name!r}: registered before; give one another name")
        self._tools[tool.name] = tool

    def names(self) -> list[str]:
        """The names of all tools, offered or not."""
        return list(self._tools)

    def all(self) -> Mapping[str, Tool]:
        """Every tool by name, offered or not."""
        return dict(self._tools)

    def offered(self, settings: config.Tools) -> dict[str, Tool]:
        """The enabled tools of which every scope is granted, by name.

        Raises:
            ConfigError: The settings give an effect retries or a cache.
        """
        granted = set(settings.scopes)
        tools = (_set(tool, settings.settings.get(name)) for name, tool in self._tools.items())
        return {
            tool.name: tool
            for tool in tools
            if tool.settings.enabled and granted.issuperset(tool.scopes)
        }

    def refuse_unknown(self, settings: config.Tools) -> None:
        """Settings for a tool that does not exist are a slip of the pen.

        Raises:
            ConfigError: Names the first such tool.
        """
        likely = [each.tool for reads in settings.prefetch.values() for each in reads]
        for name in (*settings.settings, *likely):
            if name not in self._tools:
                hint = did_you_mean(name, self._tools)
                raise ConfigError(f"tools: there is no tool {name!r}; {hint}")


def _set(tool: Tool, written: config.Tool | None) -> Tool:
    if written is None:
        return tool
    changes = {name: getattr(written, name) for name in written.model_fields_set}
    return dataclasses.replace(tool, settings=tool.settings.model_copy(update=changes))
