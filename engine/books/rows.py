"""A fact as the values of its columns, checked before anything is written."""

import math
from collections.abc import Callable, Mapping
from functools import cache
from operator import contains
from typing import TypeGuard

import pyarrow as pa

from engine.errors import BookError
from engine.evidence.records import SCHEMAS, Kind

Value = str | float | int | bool | None
Values = tuple[Value, ...]
"""One row, in the order of its kind's schema."""

REQUIRED = frozenset({"trace_id", "at", "key", "metric", "score"})
"""Columns that are never absent."""


def values_of(kind: Kind, row: Mapping[str, object]) -> Values:
    """Check one row and put its values in the order of the columns; an absent one is None.

    Raises:
        BookError: A column is unknown, missing, of another type, or not finite.
    """
    checks = _CHECKS[kind]
    if not row.keys() <= checks.keys():
        unknown = sorted(row.keys() - checks.keys())
        raise BookError(f"{kind} has no column {', '.join(unknown)}; it has {', '.join(checks)}")
    values = tuple(map(row.get, checks))
    if _plain(values, kind):
        return values
    return tuple(_checked(kind, name, row.get(name), check) for name, check in checks.items())


def columns_of(kind: Kind) -> list[str]:
    """The names of a kind's columns, in order."""
    return list(_CHECKS[kind])


def table_of(kind: Kind) -> str:
    """The SQL of the table in which rows of this kind wait to be shipped.

    Numbers are never used again, even after a deletion: a row's number is its shipping mark.
    """
    columns = ", ".join(f'"{field.name}" {_SQL[field.type]}' for field in SCHEMAS[kind])
    return f"CREATE TABLE {kind}(number INTEGER PRIMARY KEY AUTOINCREMENT, {columns}) STRICT"


@cache
def insert_of(kind: Kind, rows: int = 1) -> str:
    """The SQL that adds this many rows of this kind."""
    columns = ", ".join(f'"{name}"' for name in _CHECKS[kind])
    places = f"({', '.join('?' for _ in _CHECKS[kind])})"
    return f"INSERT INTO {kind}({columns}) VALUES {', '.join([places] * rows)}"


def _plain(values: tuple[object, ...], kind: Kind) -> TypeGuard[Values]:
    """Whether values are right at first sight; the others are looked at closely, one by one.

    Every request waits for this, so it asks less than it could: exact types, ASCII, 32 bits.
    """
    if not all(map(contains, _EXACT[kind], map(type, values))):
        return False
    for value in values:
        if isinstance(value, str):
            if not value.isascii():
                return False
        elif isinstance(value, float):
            if not math.isfinite(value):
                return False
        elif value is not None and not -_INT32 <= value < _INT32:  # type: ignore[operator]
            return False
    return True


def _checked(kind: Kind, name: str, value: object, check: Callable[[object], Value]) -> Value:
    if value is None:
        if name in REQUIRED:
            raise BookError(f"{kind}.{name} is missing")
        return None
    try:
        return check(value)
    except ValueError as error:
        raise BookError(f"{kind}.{name} must be {error}, got {value!r}") from error


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("text")  # noqa: TRY004 - one error for the caller to phrase
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError("text that UTF-8 can hold") from error
    return value


def _number(value: object) -> float:
    if not isinstance(value, float | int) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError("a finite number")
    return float(value)


def _whole(bits: int) -> Callable[[object], int]:
    limit = 1 << (bits - 1)

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not -limit <= value < limit:
            raise ValueError(f"a whole number of {bits} bits")
        return value

    return check


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")  # noqa: TRY004 - one error for the caller to phrase
    return value


_BY_TYPE: dict[pa.DataType, Callable[[object], Value]] = {
    pa.string(): _text,
    pa.float64(): _number,
    pa.int64(): _whole(64),
    pa.int32(): _whole(32),
    pa.bool_(): _truth,
}
_BY_EXACT_TYPE: dict[pa.DataType, type] = {
    pa.string(): str,
    pa.float64(): float,
    pa.int64(): int,
    pa.int32(): int,
    pa.bool_(): bool,
}
_SQL = {
    pa.string(): "TEXT",
    pa.float64(): "REAL",
    pa.int64(): "INTEGER",
    pa.int32(): "INTEGER",
    pa.bool_(): "INTEGER",
}
_CHECKS = {
    kind: {field.name: _BY_TYPE[field.type] for field in schema} for kind, schema in SCHEMAS.items()
}
_EXACT = {
    kind: [
        {_BY_EXACT_TYPE[field.type]} | (set() if field.name in REQUIRED else {type(None)})
        for field in schema
    ]
    for kind, schema in SCHEMAS.items()
}
_INT32 = 1 << 31
