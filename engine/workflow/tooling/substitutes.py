"""Cheap local answers that stand in for a tool's where they are as good."""

from datetime import UTC, datetime

from engine.workflow.calculator import ExpressionError, calculate, written
from engine.workflow.tooling.parts import Substitute
from engine.workflow.tooling.tool import Arguments


def utc_clock(tool: str, zone: str = "zone") -> Substitute:
    """Tells the time in UTC where a call names no time zone."""

    def answer(arguments: Arguments) -> str | None:
        if arguments.get(zone):
            return None
        return datetime.now(UTC).isoformat(timespec="seconds")

    return Substitute(tool, answer)


def arithmetic(tool: str, expression: str = "expression") -> Substitute:
    """Computes what is plain arithmetic, and leaves everything else to the tool."""

    def answer(arguments: Arguments) -> str | None:
        text = arguments.get(expression)
        if not isinstance(text, str):
            return None
        try:
            return written(calculate(text))
        except ExpressionError:
            return None

    return Substitute(tool, answer)
