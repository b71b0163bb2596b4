"""What was got and what to write instead, in plain words, read off a model's JSON Schema."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from engine.config.problem import Problem, Where, dotted, listed, nearest

Schema = dict[str, Any]
"""One node of a JSON Schema."""

_ABSENT = object()
_BOUNDS = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "above"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "below"),
)


def problems_of(error: ValidationError, model: type[BaseModel], data: JsonValue) -> list[Problem]:
    """Everything that a validation found, one problem for each place, in plain words."""
    schema = _schema_of(model)
    found = [
        problem
        for detail in error.errors(include_url=False)
        for problem in _problems(detail, schema, data)
    ]
    return list({(problem.where, problem.message): problem for problem in found}.values())


def got(value: object) -> str:
    """A value as an operator wrote it."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        shown = value if len(value) <= 40 else value[:39] + "…"
        return f"the text {shown!r}"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return json.dumps(value)


def wanted(node: Schema, root: Schema) -> str:
    """What a schema accepts, in words that need no schema to be understood."""
    node = _resolved(node, root)
    if "enum" in node or "const" in node:
        values = node.get("enum", [node.get("const")])
        return ("one of " if len(values) > 1 else "") + ", ".join(map(repr, values))
    if "anyOf" in node:
        return _wanted_any([wanted(option, root) for option in node["anyOf"]])
    match node.get("type"):
        case "boolean":
            return "true or false"
        case "integer":
            return "a whole number" + _bounds(node)
        case "number":
            return "a number" + _bounds(node)
        case "string":
            like = f" like {node['examples'][0]!r}" if "examples" in node else ""
            return (
                "text" + like + (f" that matches `{node['pattern']}`" if "pattern" in node else "")
            )
        case "array":
            return _wanted_list(node, root)
        case "null":
            return "nothing"
        case _:
            names = _properties(node)
            return f"a mapping with keys such as {listed(names, most=6)}" if names else "a mapping"


@cache
def _schema_of(model: type[BaseModel]) -> Schema:
    return model.model_json_schema()


def _problems(detail: ErrorDetails, schema: Schema, data: JsonValue) -> list[Problem]:
    kind = detail["type"]
    where = _place(detail["loc"], data, absent=kind == "missing")
    if kind == "impossible":
        inner: tuple[Problem, ...] = detail["ctx"]["problems"]
        return [problem.under(where) for problem in inner]
    if kind == "extra_forbidden":
        return [_unknown(where, schema, data)]
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        where = (*where, "type")
    if detail["loc"][-1:] == ("[key]",) and kind == "string_pattern_mismatch":
        pattern = detail["ctx"]["pattern"]
        why = f"got the name {where[-1]!r}; write one that matches `{pattern}`"
        return [Problem(where, why, at_key=True)]
    node = _node_at(where, schema, data)
    expected = wanted(node, schema)
    value = _value_at(where, data)
    if value is _ABSENT:
        return [Problem(where, f"missing; add {expected}")]
    message = f"got {got(value)}; write {expected}"
    near = nearest(value, node["enum"]) if "enum" in node and isinstance(value, str) else None
    return [Problem(where, message + (f" (did you mean {near!r}?)" if near else ""))]


def _unknown(where: Where, schema: Schema, data: JsonValue) -> Problem:
    section = where[:-1]
    names = _properties(_node_at(section, schema, data))
    beside = dotted(section)
    siblings = {dotted((*section, name)) for name in names}
    key = dotted(where)
    sections = {dotted(where[:depth]) for depth in range(len(where))}
    known = (siblings | set(_walk(schema, schema, ""))) - sections
    near = nearest(key, known, beside=beside)
    hint = f"did you mean `{near}`?" if near else f"known here: {listed(names)}"
    return Problem(where, f"unknown key; {hint}", at_key=True)


def _place(loc: Sequence[str | int], data: JsonValue, *, absent: bool) -> Where:
    """Where an error is in the file: pydantic's own location also names members of unions."""
    where: Where = ()
    for index, part in enumerate(loc):
        deeper = (*where, part)
        if _value_at(deeper, data) is not _ABSENT or (absent and index == len(loc) - 1):
            where = deeper
    return where


def _value_at(where: Where, data: JsonValue) -> object:
    here: object = data
    for part in where:
        if isinstance(here, dict):
            here = here.get(part, _ABSENT)
        elif isinstance(here, list) and isinstance(part, int) and part < len(here):
            here = here[part]
        else:
            return _ABSENT
    return here


def _node_at(where: Where, schema: Schema, data: JsonValue) -> Schema:
    node = schema
    for index, part in enumerate(where):
        node = _member(node, schema, _value_at(where[:index], data))
        if isinstance(part, int):
            node = node.get("items", {})
        elif part == "type" and "oneOf" in node:
            node = {"enum": sorted(node["discriminator"]["mapping"])}
        else:
            node = node.get("properties", {}).get(part) or _any_key(node)
    return _member(node, schema, _value_at(where, data))


def _any_key(node: Schema) -> Schema:
    """What a mapping whose keys the operator chooses holds under each of them."""
    by_pattern: list[Schema] = list(node.get("patternProperties", {}).values())
    return by_pattern[0] if by_pattern else node.get("additionalProperties") or {}


def _member(node: Schema, root: Schema, value: object) -> Schema:
    """The schema that applies to a value, where there is a choice by its `type` or by absence."""
    node = _resolved(node, root)
    if "discriminator" in node and isinstance(value, dict):
        chosen = node["discriminator"]["mapping"].get(value.get("type"))
        return _resolved({"$ref": chosen}, root) if chosen else node
    options = [option for option in node.get("anyOf", ()) if option.get("type") != "null"]
    return _resolved(options[0], root) if len(options) == 1 else node


def _resolved(node: Schema, root: Schema) -> Schema:
    while "$ref" in node:
        node = root["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def _properties(node: Schema) -> list[str]:
    return list(node.get("properties", ()))


def _walk(node: Schema, root: Schema, prefix: str) -> Iterator[str]:
    for name, child in _resolved(node, root).get("properties", {}).items():
        yield prefix + name
        yield from _walk(child, root, f"{prefix}{name}.")


def _wanted_any(words: list[str]) -> str:
    """Alternatives without those that another one covers."""
    kept = [word for word in words if word != "a whole number" or "a number" not in words]
    return ", ".join(kept[:-1]) + " or " + kept[-1] if len(kept) > 1 else kept[0]


def _bounds(node: Schema) -> str:
    if "minimum" in node and "maximum" in node:
        return f" from {node['minimum']:.10g} to {node['maximum']:.10g}"
    limits = [f"{words} {node[key]:.10g}" for key, words in _BOUNDS if key in node]
    return ", " + " and ".join(limits) if limits else ""


def _wanted_list(node: Schema, root: Schema) -> str:
    least = node.get("minItems", 0)
    return ("a list" if least < 1 else f"a list of at least {least}") + (
        f", each item {wanted(node['items'], root)}" if node.get("items") else ""
    )
