"""The words in which shapes are described, as JSON Schema has them."""

from typing import Any

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
WHOLE: Json = {"type": "integer"}
NUMBER: Json = {"type": "number"}
SECONDS: Json = {"type": "number", "description": "Unix time."}
ANYTHING: Json = {}


def maybe(shape: Json) -> Json:
    """The same, or null."""
    return shape | {"type": [shape["type"], "null"]}


def list_of(item: Json, **more: object) -> Json:
    """A list of these."""
    return {"type": "array", "items": item} | more


def always(**fields: Json) -> Json:
    """An object with all of these fields."""
    return sometimes([*fields], **fields)


def sometimes(required: list[str], /, **fields: Json) -> Json:
    """An object of which these fields are required."""
    return {"type": "object", "properties": fields, "required": required}


def closed(shape: Json) -> Json:
    """The same, without any field more."""
    return shape | {"additionalProperties": False}


def event(what: str, data: Json, **more: Json) -> Json:
    """A server-sent event with data of this shape."""
    return always(data=data, **more) | {"description": what}


def written(shape: Json) -> Json:
    """A text that is JSON of this shape."""
    return TEXT | {"contentMediaType": "application/json", "contentSchema": shape}


def said(*values: object, **more: object) -> Json:
    """One of these values."""
    return {"enum": list(values)} | more
