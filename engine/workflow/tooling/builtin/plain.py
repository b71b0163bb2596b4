"""Tools that need nothing but this process: arithmetic, the time, and a search of the corpus."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import Field

from engine.workflow.calculator import ExpressionError, calculate, written
from engine.workflow.failure import ToolError
from engine.workflow.tooling.tool import Tool, tool

Find = Callable[[str, int], Awaitable[Sequence[str]]]
"""The passages nearest to a query, at most so many, best first."""


# Async, though it never waits: a thread would cost more than the arithmetic.
@tool(effect="read")
async def calculator(expression: str) -> str:
    """Evaluates an arithmetic expression, such as (3 + 4) * 2.5.

    Args:
        expression: Numbers, + - * / // % **, parentheses, and functions such as sqrt or round.
    """
    try:
        return written(calculate(expression))
    except ExpressionError as error:
        raise ToolError("tool_arguments", str(error)) from error


@tool(effect="read")
async def clock(zone: str = "UTC") -> str:
    """Tells the present date and time.

    Args:
        zone: An IANA time zone, such as Europe/Berlin.
    """
    try:
        where = UTC if zone == "UTC" else ZoneInfo(zone)
    # ZoneInfo opens a file, so an odd name may fail as a file does.
    except (KeyError, ValueError, OSError) as error:
        raise ToolError(
            "tool_arguments", f"{zone[:64]!r} is no time zone; write one such as Europe/Berlin"
        ) from error
    return datetime.now(where).isoformat(timespec="seconds")


def corpus_search(find: Find) -> Tool:
    """A search of the documents that the workflow answers from."""

    @tool(effect="read", name="corpus_search")
    async def search(query: str, count: Annotated[int, Field(ge=1, le=20)] = 5) -> str:
        """Searches the documents for passages about something.

        Args:
            query: What to look for, in a few words.
            count: How many passages.
        """
        passages = await find(query, count)
        return "\n\n".join(f"[{n}] {text}" for n, text in enumerate(passages, 1)) or "nothing found"

    return search
