"""The book of decisions: each entry follows from the one before it, and none is ever changed."""

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue
from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Integer,
    MetaData,
    Row,
    Table,
    Text,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable

from engine.books.dialect import append_only, engine_of, reading, writing
from engine.errors import BookError, LedgerCorruptError, StaleAppendError

GENESIS = "0" * 64
"""What the first entry follows."""

_ledger = Table(
    "ledger",
    MetaData(),
    Column(
        "seq",
        BigInteger().with_variant(Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("at", Double, nullable=False),
    Column("actor", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("prev", Text, nullable=False),
    Column("hash", Text, nullable=False),
)
_TYPES = {"seq": int, "at": float, "actor": str, "kind": str, "body": str, "prev": str, "hash": str}


class Entry(BaseModel):
    """One decision, who took it and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seq: int
    at: float
    actor: str
    kind: str
    body: dict[str, JsonValue]
    prev: str
    hash: str


class Ledger:
    """Entries 1, 2, 3…, chained by their hashes; two writers can't both append the same number.

    ``url`` is SQLAlchemy's, or a plain path for a SQLite file.
    """

    def __init__(self, url: str) -> None:
        self._engine = engine_of(url)
        with writing(self._engine) as connection:
            connection.execute(CreateTable(_ledger, if_not_exists=True))
            for statement in append_only(_ledger.name, self._engine.dialect.name):
                connection.execute(text(statement))

    def append(
        self, kind: str, body: Mapping[str, JsonValue], *, expected: int, at: float, actor: str
    ) -> Entry:
        """Add an entry after number ``expected``, on disk when this returns.

        Raises:
            StaleAppendError: The head isn't ``expected`` any more; nothing was written.
            BookError: The body isn't JSON with finite numbers; nothing was written.
        """
        kept = _kept(body)
        # -0.0 would come back from the disk as 0.0
        at = float(at) + 0.0
        if not math.isfinite(at):
            raise BookError(f"ledger: `at` must be a finite number of seconds, got {at}")
        with writing(self._engine) as connection:
            last = connection.execute(
                select(_ledger.c.seq, _ledger.c.hash).order_by(_ledger.c.seq.desc()).limit(1)
            ).first()
            head, prev = (0, GENESIS) if last is None else (last.seq, last.hash)
            if head != expected:
                raise StaleAppendError(expected, head)
            named = {"seq": head + 1, "at": at, "actor": actor, "kind": kind}
            entry = Entry(
                **named, body=kept, prev=prev, hash=_digest(prev, {**named, "body": kept})
            )
            values = {**entry.model_dump(exclude={"body"}), "body": _canonical(kept)}
            connection.execute(insert(_ledger).values(values))
        return entry

    def read(self, after: int = 0, upto: int | None = None) -> list[Entry]:
        """The entries of ``after < seq <= upto``, exactly as they were written.

        Raises:
            LedgerCorruptError: An entry can't be read; `check_chain` finds subtler damage.
        """
        query = select(_ledger).where(_ledger.c.seq > after).order_by(_ledger.c.seq)
        if upto is not None:
            query = query.where(_ledger.c.seq <= upto)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        return [_entry(row) for row in rows]

    def head(self) -> int:
        """The number of the last entry, 0 when empty."""
        with reading(self._engine) as connection:
            return int(connection.execute(select(func.max(_ledger.c.seq))).scalar() or 0)

    def check_chain(self) -> int:
        """Recompute every hash from the first entry on, and return how many were checked.

        Raises:
            LedgerCorruptError: Names the first entry that was altered, moved or taken out.
        """
        count, prev = 0, GENESIS
        with reading(self._engine) as connection:
            rows = iter(connection.execute(select(_ledger).order_by(_ledger.c.seq)))
            while True:
                try:
                    row = next(rows, None)
                except DBAPIError as error:
                    raise LedgerCorruptError(count + 1, f"unreadable ({error.orig})") from error
                if row is None:
                    return count
                count += 1
                why = _flaw(row, count, prev)
                if why is not None:
                    raise LedgerCorruptError(count, why)
                prev = row.hash

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _flaw(row: Row[Any], expected: int, prev: str) -> str | None:
    """Why this row can't be the entry that follows ``prev``; None when it is."""
    for name, type_ in _TYPES.items():
        if type(row._mapping[name]) is not type_:
            return f"`{name}` is no {type_.__name__}"
    if row.seq != expected:
        return f"missing, number {row.seq} stands in its place"
    if row.prev != prev:
        return "doesn't follow the entry before it"
    try:
        body = json.loads(row.body)
        # two spellings of one body would share a hash
        respelt = _canonical(body) != row.body
    except (ValueError, RecursionError):
        return "its body is no JSON"
    if respelt:
        return "its body was altered"
    named = {"seq": row.seq, "at": row.at, "actor": row.actor, "kind": row.kind}
    return None if _digest(prev, {**named, "body": body}) == row.hash else "it was altered"


def _entry(row: Row[Any]) -> Entry:
    try:
        return Entry(**{**row._mapping, "body": json.loads(row.body)})
    except (ValueError, TypeError) as error:
        raise LedgerCorruptError(row.seq, f"unreadable ({error})") from error


def _digest(prev: str, record: Mapping[str, JsonValue]) -> str:
    return hashlib.sha256((prev + _canonical(record)).encode()).hexdigest()


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _kept(body: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The body as it will be read, if that is the body that was given."""
    try:
        kept = json.loads(_canonical(dict(body)))
    except (ValueError, TypeError, RecursionError) as error:
        raise BookError(f"ledger: the body can't be kept as JSON ({error})") from error
    strange = _strange_key(body)
    if strange is not None:
        raise BookError(f"ledger: a body's keys must be text, got {strange!r}")
    assert isinstance(kept, dict)
    return kept


def _strange_key(value: object) -> object | None:
    # json.dumps would quietly spell the key 1 as "1"
    if isinstance(value, Mapping):
        for key, inner in value.items():
            found = key if not isinstance(key, str) else _strange_key(inner)
            if found is not None:
                return found
    if isinstance(value, list | tuple):
        return next((found for item in value if (found := _strange_key(item)) is not None), None)
    return None
