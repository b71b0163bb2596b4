"""Makes one call of a tool: remembered, guarded, limited in time, tried again where it is safe."""

import asyncio
import hashlib
import json
import logging
import random
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticSerializationError, to_json

from engine.errors import DeadlineError
from engine.workflow.failure import BudgetError, StepError, ToolError
from engine.workflow.reply import Usage
from engine.workflow.run import Run
from engine.workflow.spans import Span
from engine.workflow.tooling.parts import Parts
from engine.workflow.tooling.tool import Arguments, Tool

log = logging.getLogger("trimtab.tools")

MAX_CHARS = 16_000
"""Of a result; a language model's context is dearer than the rest of a long page."""
BACKOFF_S = 0.1
BACKOFF_CAP_S = 2.0


@dataclass(frozen=True)
class Call:
    """A call whose arguments are right."""

    tool: Tool
    arguments: Arguments
    """As JSON values."""
    checked: dict[str, Any]
    """As the tool takes them."""

    @property
    def key(self) -> str:
        """The same for the same call, whatever the order of its arguments."""
        body = json.dumps([self.tool.name, self.arguments], sort_keys=True)
        return hashlib.sha256(body.encode()).hexdigest()


def checked(tool: Tool, arguments: Arguments) -> Call:
    """A call that may be made.

    Raises:
        ToolError: The arguments are wrong.
    """
    return Call(tool, arguments, tool.check(arguments))


async def perform(call: Call, run: Run, parts: Parts, span: Span) -> str:
    """The result as text, charged and written into `span`.

    Raises:
        ToolError: The tool failed, or found its arguments impossible.
        CircuitError: The tool is left alone for a while.
        DeadlineError: The request's time ran out.
    """
    ttl_s = call.tool.settings.cache_ttl_s
    if ttl_s is None or parts.memory is None:
        return await _tried(call, run, parts, span)
    known = await parts.memory.get(call.key)
    span["cache_hit"] = known is not None
    if known is not None:
        return known
    text = await _tried(call, run, parts, span)
    await parts.memory.put(call.key, text, ttl_s)
    return text


async def _tried(call: Call, run: Run, parts: Parts, span: Span) -> str:
    for attempt in range(1, call.tool.retries + 2):
        span["attempt"] = attempt
        try:
            return await _guarded(call, run, parts)
        except ToolError as error:
            wait_s = _wait_s(attempt, error)
            last = attempt > call.tool.retries
            if error.action != "retry" or last or run.within(wait_s) < wait_s:
                raise
            await asyncio.sleep(wait_s)
    raise AssertionError("a loop that neither returned nor raised")


def _wait_s(attempt: int, error: StepError) -> float:
    # Full jitter: callers that failed together don't come back together.
    spread = random.uniform(0.0, min(BACKOFF_CAP_S, BACKOFF_S * 2 ** (attempt - 1)))
    return max(spread, error.retry_after_s or 0.0)


async def _guarded(call: Call, run: Run, parts: Parts) -> str:
    tool = call.tool
    limit_s = run.within(tool.settings.timeout_s)
    run.charge(Usage(0, 0, tool.settings.cost_usd))
    guard = parts.guard if tool.settings.breaker else None
    with guard(tool.name) if guard else nullcontext():
        outcome = await _attempted(call, run, limit_s)
        if isinstance(outcome, str):
            return outcome
        # The caller's own mistake says nothing about the tool's health.
        if outcome.action != "skip":
            raise outcome
    raise outcome


async def _attempted(call: Call, run: Run, limit_s: float) -> str | ToolError:
    tool = call.tool
    limit = asyncio.timeout(limit_s)
    try:
        async with limit:
            return written(await tool.invoke(call.checked))
    except ToolError as error:
        return error
    except (DeadlineError, BudgetError):
        raise
    except TimeoutError as error:
        if limit.expired():
            run.within(limit_s)
            late = f"{tool.name} took longer than {limit_s:g} s{_unknown(tool)}"
            return ToolError("tool_timeout", late, action="fallback")
        return _passing(tool, error)
    except OSError as error:
        return _passing(tool, error)
    except Exception as error:
        # A tool is anyone's function and may raise anything.
        log.warning("tool %s failed", tool.name, exc_info=True)
        # Only the kind: a message may hold a path, a row or a key.
        failed = f"{tool.name} failed: {type(error).__name__}{_unknown(tool)}"
        return ToolError("tool_failed", failed, severity="high", action="fallback")


def _passing(tool: Tool, error: Exception) -> ToolError:
    failed = f"{tool.name} failed: {type(error).__name__}{_unknown(tool)}"
    return ToolError("tool_unreachable", failed, action="retry")


def _unknown(tool: Tool) -> str:
    return "" if tool.effect == "read" else "; whether it was done is not known"


def written(result: object) -> str:
    """A result as text for a language model, cut with a mark if it is long."""
    text = result if isinstance(result, str) else _json(result)
    if len(text) <= MAX_CHARS:
        return text
    return f"{text[:MAX_CHARS]}\n[{len(text) - MAX_CHARS} more characters were cut]"


def _json(result: object) -> str:
    try:
        return to_json(result).decode()
    except (PydanticSerializationError, ValueError) as error:
        raise ToolError(
            "tool_failed", f"the result, a {type(result).__name__}, has no JSON form"
        ) from error
