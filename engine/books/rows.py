"""A fact as the values of its columns, checked before anything is written."""

import math
from collections.abc import Callable, Mapping

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


def insert_of(kind: Kind) -> str:
    """The SQL that adds one row of this kind."""
    columns = ", ".join(f'"{name}"' for name in _CHECKS[kind])
    places = ", ".join("?" for _ in _CHECKS[kind])
    return f"INSERT INTO {kind}({columns}) VALUES ({places})"


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
