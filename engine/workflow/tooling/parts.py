"""What a belt of tools may ask of its parts; each is given from outside, and none is needed."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from engine.workflow.run import Run
from engine.workflow.tooling.tool import Arguments, Tool

Approve = Callable[[Tool, Arguments, Run], Awaitable[bool | None]]
"""Whether a person allows this call; None where nobody has decided yet."""


class Guard(Protocol):
    """The breakers of many tools."""

    def __call__(self, tool: str, /) -> AbstractContextManager[None]:
        """Counts a ToolError that leaves the block; raises CircuitError on entering an open one."""
        ...


class Memory(Protocol):
    """Remembers the texts of reads; what it can't give or keep it leaves out silently."""

    async def get(self, key: str) -> str | None:
        """The text kept under this key, if its time is not up."""
        ...

    async def put(self, key: str, text: str, ttl_s: float) -> None:
        """Keep a text for so many seconds."""
        ...


@dataclass(frozen=True)
class Substitute:
    """Answers some calls of a read without making them."""

    tool: str
    answer: Callable[[Arguments], str | None]
    """The text for these arguments, or None where only the tool itself will do; never waits."""


@dataclass(frozen=True)
class Parts:
    """What stands beside a belt."""

    approve: Approve | None = None
    guard: Guard | None = None
    memory: Memory | None = None
    substitutes: tuple[Substitute, ...] = ()

    def stand_in(self, tool: Tool, arguments: Mapping[str, Any]) -> str | None:
        """What a substitute answers; an effect is never substituted."""
        if tool.effect != "read":
            return None
        for each in self.substitutes:
            if each.tool == tool.name:
                text = each.answer(arguments)
                if text is not None:
                    return text
        return None
