"""Reads the arguments of a call, also where a language model wrote almost JSON."""

import ast
import json
import string
from collections.abc import Callable, Iterator
from typing import Any

from engine.workflow.failure import ToolError

MAX_CHARS = 200_000
_FENCE = "```"


def read(text: str) -> dict[str, Any]:
    """The arguments as a mapping; no arguments at all are an empty one.

    Raises:
        ToolError: The text is neither JSON nor one of the known near misses.
    """
    if len(text) > MAX_CHARS:
        raise ToolError("tool_arguments", f"{len(text)} characters; at most {MAX_CHARS}")
    plain = text.strip()
    if not plain:
        return {}
    try:
        value: Any = json.loads(plain)
    except (ValueError, RecursionError) as error:
        value = _repaired(plain, error)
    if isinstance(value, str):
        value = _encoded_twice(value)
    if isinstance(value, dict):
        return value
    raise ToolError(
        "tool_arguments",
        f"the arguments are {type(value).__name__}, not a JSON object; write {{...}}",
    )


def _repaired(text: str, error: Exception) -> Any:  # noqa: ANN401 - any JSON value
    for attempt in _attempts(text):
        try:
            return attempt()
        # ast compiles, so a deep or odd text fails in more ways than a parser's usual one.
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    raise ToolError("tool_arguments", f"the arguments are not JSON: {error}") from error


def _attempts(text: str) -> Iterator[Callable[[], Any]]:
    bare = _unfenced(text)
    yield lambda: json.loads(bare)
    yield lambda: json.loads(_without_trailing_commas(bare))
    yield lambda: ast.literal_eval(bare)
    # A text with line breaks inside is what models write most often after a stray comma.
    yield lambda: json.loads(bare, strict=False)


def _unfenced(text: str) -> str:
    if not (text.startswith(_FENCE) and text.endswith(_FENCE) and len(text) >= 2 * len(_FENCE)):
        return text
    inside = text[len(_FENCE) : -len(_FENCE)]
    return inside.lstrip(string.ascii_letters).strip()


def _encoded_twice(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _without_trailing_commas(text: str) -> str:
    kept: list[str] = []
    inside = escaped = False
    for char in text:
        if inside:
            inside, escaped = (char != '"' or escaped), (char == "\\" and not escaped)
        elif char == '"':
            inside = True
        elif char in "]}":
            _drop_comma(kept)
        kept.append(char)
    return "".join(kept)


def _drop_comma(kept: list[str]) -> None:
    last = len(kept) - 1
    while last >= 0 and kept[last].isspace():
        last -= 1
    if last >= 0 and kept[last] == ",":
        del kept[last:]
