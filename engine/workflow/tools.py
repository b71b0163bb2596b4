"""The tools that an agent may offer to a language model."""

import json
from collections.abc import Mapping
from typing import Any

from engine.workflow.calculator import ExpressionError, calculate, written
from engine.workflow.failure import ToolError
from engine.workflow.reply import ToolCall

CALCULATOR: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "calculator",
        "description": "Evaluates an arithmetic expression, such as (3 + 4) * 2.5.",
        "parameters": {
            "type": "object",
            "properties": {"expression": {"type": "string"}},
            "required": ["expression"],
            "additionalProperties": False,
        },
    },
}


def called(call: ToolCall) -> str:
    """The result of a tool call, as text.

    Raises:
        ToolError: No such tool, unreadable arguments, or an expression that isn't arithmetic.
    """
    if call.name != "calculator":
        raise ToolError(
            "tool_arguments", f"there is no tool {call.name!r}; the only one is 'calculator'"
        )
    try:
        arguments = json.loads(call.arguments)
    except ValueError as error:
        raise ToolError("tool_arguments", f"the arguments are not JSON: {error}") from error
    match arguments:
        case {"expression": str() as expression} if len(arguments) == 1:
            try:
                return written(calculate(expression))
            except ExpressionError as error:
                raise ToolError("tool_arguments", str(error)) from error
    raise ToolError("tool_arguments", 'the arguments must be {"expression": "<text>"}')
