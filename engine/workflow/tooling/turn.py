"""The calls of one turn: read, put in order, allowed or refused, made, and answered."""

import asyncio
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from engine.config.problem import did_you_mean
from engine.errors import DeadlineError
from engine.workflow.failure import BudgetError, CircuitError, ToolError
from engine.workflow.reply import Message, ToolCall
from engine.workflow.run import Run
from engine.workflow.spans import Span
from engine.workflow.tooling import arguments as written_arguments
from engine.workflow.tooling.order import Step, filled, ordered, references
from engine.workflow.tooling.parts import Parts
from engine.workflow.tooling.perform import Call, checked, perform
from engine.workflow.tooling.prefetch import Prefetch
from engine.workflow.tooling.schema import expected
from engine.workflow.tooling.tool import Arguments, Tool

UNKNOWN = "unknown_tool"
"""Names the span of a call whose name is anything that a model made up."""


class Turn:
    """The calls that a language model made at once."""

    def __init__(
        self,
        calls: Sequence[ToolCall],
        offered: Mapping[str, Tool],
        parts: Parts,
        prefetch: Prefetch,
        max_parallel: int,
    ) -> None:
        self._calls = calls
        self._offered = offered
        self._parts = parts
        self._prefetch = prefetch
        self._places = asyncio.Semaphore(max_parallel)
        self._wanted = [self._read(call) for call in calls]
        self._order = ordered({n: self._step(n) for n in range(len(calls))})
        self._ended = [asyncio.Event() for _ in calls]
        self._results: dict[str, str] = {}

    async def answers(self, run: Run) -> list[Message]:
        """The tool messages, in the calls' order.

        Raises:
            DeadlineError: The request's time ran out.
            BudgetError: A tool used up what the request may use.
        """
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._answer(n, run)) for n in range(len(self._calls))]
        except ExceptionGroup as failures:
            stop = failures.subgroup((DeadlineError, BudgetError))
            raise _first(stop or failures) from None
        return [
            {"role": "tool", "tool_call_id": call.id, "content": task.result()}
            for call, task in zip(self._calls, tasks, strict=True)
        ]

    def _read(self, call: ToolCall) -> tuple[Tool, Arguments] | ToolError:
        tool = self._offered.get(call.name)
        if tool is None:
            hint = did_you_mean(call.name, self._offered)
            return ToolError("tool_unknown", f"there is no tool {call.name[:64]!r}; {hint}")
        try:
            return tool, written_arguments.read(call.arguments)
        except ToolError as error:
            fields = expected(tool.schema)
            return ToolError(error.code, f"{tool.name}: {error}. Expected: {fields}")

    def _step(self, number: int) -> Step:
        id_, wanted = self._calls[number].id, self._wanted[number]
        if isinstance(wanted, ToolError):
            return Step(id_, {}, has_effect=False)
        tool, arguments = wanted
        return Step(id_, arguments, has_effect=tool.effect != "read")

    async def _answer(self, number: int, run: Run) -> str:
        for other in self._order.waits_for[number]:
            await self._ended[other].wait()
        call = self._calls[number]
        name = call.name if call.name in self._offered else UNKNOWN
        async with self._places:
            with run.timeline.span(name) as span:
                span["kind"] = "tool"
                try:
                    text = self._results[call.id] = await self._result(number, run, span)
                except (ToolError, CircuitError) as error:
                    span.update(status="error", error=error.code)
                    text = f"error: {error}"
        self._ended[number].set()
        # Half a surrogate pair, which a model may write in JSON, could not be sent back to it.
        return text.encode(errors="replace").decode()

    async def _result(self, number: int, run: Run, span: Span) -> str:
        wanted = self._wanted[number]
        if isinstance(wanted, ToolError):
            raise wanted
        if number in self._order.refused:
            raise ToolError("tool_dependency", self._order.refused[number])
        tool, arguments = wanted
        call = self._checked(tool, arguments)
        await self._allow(call, run)
        text = self._parts.stand_in(tool, call.arguments)
        if text is not None:
            span["substitute"] = True
            return text
        text = await self._prefetch.taken(call, run)
        if text is not None:
            span["prefetched"] = True
            return text
        return await perform(call, run, self._parts, span)

    def _checked(self, tool: Tool, arguments: Arguments) -> Call:
        try:
            return checked(tool, filled(arguments, self._text))
        except ToolError as error:
            if error.code != "tool_arguments" or not any(references(arguments)):
                raise
        # Where a text does not fit, the result may be the number or the list that does.
        return checked(tool, filled(arguments, self._value))

    def _text(self, id_: str) -> str:
        if id_ not in self._results:
            raise ToolError("tool_dependency", f"it needs the result of {id_}, which failed")
        return self._results[id_]

    def _value(self, id_: str) -> Any:  # noqa: ANN401 - any JSON value
        text = self._text(id_)
        try:
            return json.loads(text)
        except ValueError:
            return text

    async def _allow(self, call: Call, run: Run) -> None:
        tool, approve = call.tool, self._parts.approve
        if not tool.needs_approval:
            return
        if approve is None:
            raise ToolError("tool_approval", f"{tool.name} needs approval, and nobody gives it")
        try:
            async with asyncio.timeout(run.within(math.inf)):
                allowed = await approve(tool, call.arguments, run)
        except TimeoutError as error:
            raise DeadlineError(f"nobody decided on {tool.name} in time") from error
        if allowed is None:
            raise ToolError(
                "tool_approval", f"{tool.name} needs approval and waits for a person; not done yet"
            )
        if not allowed:
            raise ToolError("tool_rejected", f"a person rejected this call of {tool.name}")


def _first(failures: ExceptionGroup[Exception]) -> Exception:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, ExceptionGroup) else first
