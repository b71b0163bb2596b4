"""The types of what flows between steps."""

import re
from typing import Annotated

from pydantic import Field

BASES = ("text", "integer", "number", "boolean", "object", "any")
PATTERN = rf"^({'|'.join(BASES)}|list\[({'|'.join(BASES)})\])$"

Kind = Annotated[str, Field(pattern=PATTERN, examples=["text"])]
"""`text`, `integer`, `number`, `boolean`, `object`, `any`, or a list of them: `list[text]`."""

_LIST = re.compile(r"^list\[(\w+)\]$")


def is_list(kind: str) -> bool:
    """Whether there is something to go through one by one."""
    return kind == "any" or _LIST.match(kind) is not None


def item_of(kind: str) -> str:
    """What a list of this kind holds."""
    found = _LIST.match(kind)
    return found.group(1) if found else "any"


def list_of(kind: str) -> str:
    """A list of this kind; lists of lists are not told apart."""
    return f"list[{kind}]" if kind in BASES else "list[any]"


def fits(kind: str, wanted: str) -> bool:
    """Whether a value of this kind may stand where `wanted` is asked for."""
    if "any" in {kind, wanted} or kind == wanted:
        return True
    if is_list(kind) and is_list(wanted):
        return fits(item_of(kind), item_of(wanted))
    return kind == "integer" and wanted == "number"


def is_a(value: object, kind: str) -> bool:
    """Whether a value is of this kind; true and false are no numbers."""
    if kind == "any":
        return True
    if is_list(kind):
        return isinstance(value, list) and all(is_a(item, item_of(kind)) for item in value)
    if isinstance(value, bool):
        return kind == "boolean"
    allowed: dict[str, tuple[type, ...]] = {
        "text": (str,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (),
        "object": (dict,),
    }
    return isinstance(value, allowed[kind])
