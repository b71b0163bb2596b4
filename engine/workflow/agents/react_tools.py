"""What a ReAct model may mean by a tool's name and by its input."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rapidfuzz import fuzz, process

from engine.workflow.agents.loose_json import (
    LooseJsonError,
    arguments_at,
    first_object,
    value_at,
)

NEAR = 80.0
"""How alike, of 100, a misspelt tool and its name have to be."""
FENCE = re.compile(r"```[A-Za-z_+-]{0,20}")
_NAMED_LINE = re.compile(r"[ \t*\-]{0,8}[\"'`*]{0,3}([A-Za-z_]\w{0,60})[\"'`*]{0,3}[ ]?[=:](?!=)")
_OTHER_KINDS = ("integer", "number", "boolean", "array", "object")
_AROUND = " \t\n*_`'\"“”‘’[](){}<>:.,;"  # noqa: RUF001 - quotes as models write them


@dataclass(frozen=True)
class Signature:
    """What a tool takes."""

    types: Mapping[str, str]
    """Its parameters, those that are required first; empty where a type is not just one."""
    required: frozenset[str]


Tools = Mapping[str, Signature]


def signatures(schemas: Iterable[Mapping[str, Any]]) -> dict[str, Signature]:
    """The tools by name, from their schemas in the OpenAI tools protocol."""
    return {schema["function"]["name"]: _signature(schema["function"]) for schema in schemas}


def bare(name: str) -> str:
    """A name in lower case, without quotes, asterisks and brackets."""
    return name[:100].strip(_AROUND).removeprefix("functions.").lower()


def meant(name: str, tools: Tools) -> str | None:
    """The one tool that this name means; None where it is none of them, or could be two."""
    wanted = bare(name).removeprefix("use ").removeprefix("the ").removesuffix(" tool")
    alike = {tool: tool.lower().replace("_", " ") for tool in tools}
    best = process.extract(
        re.sub(r"[-_ ]", " ", wanted), alike, scorer=fuzz.ratio, score_cutoff=NEAR, limit=2
    )
    if not best or (len(best) == 2 and best[0][1] == best[1][1]):
        return None
    return str(best[0][2])


def arguments(given: object, signature: Signature) -> dict[str, Any]:
    """The arguments by name: an object as it is, `key=value` lines, or a text for the first one.

    Raises:
        LooseJsonError: The input is cut, or nested beyond reading.
    """
    found = given if isinstance(given, dict) else _written(str(given), signature)
    return {name: _typed(name, value, signature) for name, value in found.items()}


def _written(text: str, signature: Signature) -> dict[str, Any]:
    text = FENCE.sub("", text).strip().strip("`").strip()
    first = next(iter(signature.types), "input")
    if text.startswith(("{", "[", '"', "'", "“", "‘")):  # noqa: RUF001 - as models write them
        value = value_at(text).value
        if isinstance(value, str) and value.startswith("{"):
            value = value_at(value).value
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
            value = value[0]
        return value if isinstance(value, dict) else {first: value}
    if named := _named(text, signature):
        return named
    return first_object(text) or {first: text.split("\n\n")[0].strip()}


def _named(text: str, signature: Signature) -> dict[str, Any]:
    try:
        named = arguments_at(f"({text})", 0).named
    except LooseJsonError:
        named = {}
    if named and named.keys() <= signature.types.keys():
        return named
    found: dict[str, Any] = {}
    for line in text.split("\n"):
        name = _NAMED_LINE.match(line)
        if name and name[1] in signature.types:
            found[name[1]] = line[name.end() :].strip().strip("\"'`,“”").strip()
    return found


def _typed(name: str, value: object, signature: Signature) -> object:
    kind = signature.types.get(name)
    if kind == "string" and isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if kind in _OTHER_KINDS and isinstance(value, str):
        try:
            return value_at(value).value
        except LooseJsonError:
            return value
    return value


def _signature(function: Mapping[str, Any]) -> Signature:
    parameters = function.get("parameters") or {}
    required = frozenset(parameters.get("required", ()))
    kinds = {
        name: schema.get("type", "") for name, schema in parameters.get("properties", {}).items()
    }
    types = {
        name: kinds[name] if isinstance(kinds[name], str) else ""
        for name in sorted(kinds, key=lambda name: name not in required)
    }
    return Signature(types, required)
