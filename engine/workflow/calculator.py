"""A calculator that evaluates arithmetic and nothing else."""

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import TrimtabError

Number = int | float

MAX_CHARS = 1_000
MAX_NODES = 256
MAX_DEPTH = 32
MAX_EXPONENT = 1_000
MAX_BITS = 10_000


class ExpressionError(TrimtabError):
    """An expression is not plain arithmetic, or its value is too large."""


def calculate(expression: str) -> Number:
    """The value of an arithmetic expression: numbers, + - * / // % **, parentheses, functions.

    Raises:
        ExpressionError: The expression holds anything else, or passes a cap on its size.
    """
    if len(expression) > MAX_CHARS:
        raise ExpressionError(f"expression: {len(expression)} characters; at most {MAX_CHARS}")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ExpressionError(f"expression {expression!r} is not arithmetic: {error}") from error
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise ExpressionError(f"expression: more than {MAX_NODES} parts")
    try:
        return _value(tree.body, 1)
    except (ArithmeticError, ValueError, TypeError) as error:
        raise ExpressionError(f"expression {expression!r}: {error}") from error


def written(value: Number) -> str:
    """A number as people write it: no trailing zeros, at most 12 significant digits."""
    return str(value) if isinstance(value, int) else format(value, ".12g")


def _value(node: ast.expr, depth: int) -> Number:
    if depth > MAX_DEPTH:
        raise ExpressionError(f"expression: nested deeper than {MAX_DEPTH}")
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _bounded(number)
        case ast.UnaryOp(op=ast.UAdd() | ast.USub() as sign, operand=operand):
            value = _value(operand, depth + 1)
            return -value if isinstance(sign, ast.USub) else value
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _binary(type(op), _value(left, depth + 1), _value(right, depth + 1))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _bounded(_FUNCTIONS[name](*(_value(each, depth + 1) for each in arguments)))
    raise ExpressionError(
        f"{ast.unparse(node)!r} is not allowed; use numbers, + - * / // % **, parentheses and "
        f"{', '.join(_FUNCTIONS)}"
    )


def _binary(op: type[ast.operator], left: Number, right: Number) -> Number:
    if op is ast.Pow:
        if abs(right) > MAX_EXPONENT:
            raise ExpressionError(f"exponent {right} is beyond {MAX_EXPONENT}")
        if isinstance(left, int) and left.bit_length() * max(1, abs(right)) > MAX_BITS:
            raise ExpressionError(f"a result of more than {MAX_BITS} bits")
    return _bounded(_OPERATORS[op](left, right))


def _bounded(value: Number | complex) -> Number:
    if isinstance(value, int):
        if value.bit_length() > MAX_BITS:
            raise ExpressionError(f"a result of more than {MAX_BITS} bits")
        return value
    # A complex number comes from a negative base, whatever the annotations say.
    if isinstance(value, complex) or not math.isfinite(value):
        raise ExpressionError(f"{value!r} is not a finite real number")
    return value


def _round(value: Number, digits: Number = 0) -> Number:
    # Python's round(int, -n) computes 10**n first.
    if not isinstance(digits, int) or abs(digits) > 20:
        raise ExpressionError(f"round: {digits} digits; at most 20")
    return round(value, digits) if digits else round(value)


def _factorial(value: Number) -> Number:
    if not isinstance(value, int) or not 0 <= value <= MAX_EXPONENT:
        raise ExpressionError(f"factorial of {value}; a whole number up to {MAX_EXPONENT}")
    return math.factorial(value)


def _integers(fold: Callable[..., int]) -> Callable[..., Number]:
    def folded(*values: Number) -> Number:
        # A running fold, because math.lcm of many large numbers would pass the cap unseen.
        total = int(values[0]) if values else 1
        for value in values:
            total = int(_bounded(fold(total, value)))
        return total

    return folded


_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_FUNCTIONS: Mapping[str, Callable[..., Number]] = {
    "abs": abs,
    "round": _round,
    "min": min,
    "max": max,
    "sqrt": math.sqrt,
    "floor": math.floor,
    "ceil": math.ceil,
    "trunc": math.trunc,
    "gcd": _integers(math.gcd),
    "lcm": _integers(math.lcm),
    "factorial": _factorial,
    "exp": math.exp,
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
}
