"""The one book of feedback: an idempotency key is used once, whichever process hears it."""

import asyncio
import hashlib
import json
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Literal

from engine.books.group import CAPACITY, GroupCommit
from engine.books.points import Passing, unwatched
from engine.books.rows import Values, columns_of, insert_of, table_of, values_of
from engine.books.sqlite import Database
from engine.errors import BookError, FeedbackConflictError

Outcome = Literal["stored", "duplicate", "conflict"]

_KEY, _, _TRACE_ID, _METRIC, _SCORE = range(5)
"""Places in a feedback row."""


class FeedbackBook:
    """Keys for ever, and the rows that wait to be shipped; shared by all processes.

    Raises:
        StoreFullError: The file can't be opened or created now.
    """

    def __init__(self, path: Path, *, passing: Passing = unwatched) -> None:
        self._passing = passing
        self._database = Database(path, _SCHEMA)
        self.identity = _identity(self._database)

    def record(self, rows: Sequence[Mapping[str, object]]) -> list[Outcome]:
        """Commit these rows in one transaction and say for each what became of it.

        The same key with the same trace, metric and score is a duplicate, whenever it arrives;
        with another body it is a conflict, and the first body stands.

        Raises:
            BookError: A row doesn't fit its schema; none was written.
            StoreFullError: None was written.
        """
        return self.record_values([checked(row) for row in rows])

    def record_one(self, row: Mapping[str, object]) -> Literal["stored", "duplicate"]:
        """Commit one row.

        Raises:
            FeedbackConflictError: The key was used before with another body.
        """
        (outcome,) = self.record([row])
        if outcome == "conflict":
            raise FeedbackConflictError(
                f"feedback key {row['key']!r} was used before with another trace, metric or "
                "score; send a new key for a new value"
            )
        return outcome

    def record_values(self, rows: Sequence[Values]) -> list[Outcome]:
        """Commit rows that are checked already."""
        with self._database.writing() as connection:
            outcomes = [_recorded(connection, row) for row in rows]
            self._passing("before commit")
        self._passing("after commit")
        return outcomes

    def close(self) -> None:
        """Close the file."""
        self._database.close()


class FeedbackCommitter:
    """Records feedback for many waiting requests, one commit for all who wait."""

    def __init__(self, book: FeedbackBook, *, capacity: int = CAPACITY) -> None:
        self._group = GroupCommit(book.record_values, capacity=capacity)

    def submit(self, row: Mapping[str, object]) -> Future[Outcome]:
        """Hand over a row; the future tells its outcome after its commit."""
        return self._group.submit(checked(row))

    def submit_many(self, rows: Sequence[Mapping[str, object]]) -> list[Future[Outcome]]:
        """Hand over several rows, all of them or none."""
        return self._group.submit_many([checked(row) for row in rows])

    def hand_many(self, rows: Sequence[Mapping[str, object]]) -> list[asyncio.Future[Outcome]]:
        """Hand over several rows from a running loop, all of them or none."""
        return self._group.hand_many([checked(row) for row in rows])

    def close(self) -> None:
        """Write everything that waits, then stop; the book stays open."""
        self._group.close()


def checked(row: Mapping[str, object]) -> Values:
    """Check one feedback row and put its values in the order of the columns.

    Raises:
        BookError: It doesn't fit the schema, or its score is outside [0, 1].
    """
    values = values_of("feedback", row)
    score = values[_SCORE]
    if not isinstance(score, float) or not 0.0 <= score <= 1.0:
        raise BookError(f"feedback.score must be between 0 and 1, got {score!r}")
    return values


def _recorded(connection: sqlite3.Connection, row: Values) -> Outcome:
    digest = _digest(row)
    claimed = connection.execute(
        "INSERT INTO keys(key, digest) VALUES (?, ?) ON CONFLICT DO NOTHING", (row[_KEY], digest)
    )
    if claimed.rowcount:
        connection.execute(insert_of("feedback"), row)
        return "stored"
    (first,) = connection.execute("SELECT digest FROM keys WHERE key = ?", (row[_KEY],)).fetchone()
    return "duplicate" if first == digest else "conflict"


def _digest(row: Values) -> bytes:
    # -0.0 and 0.0 are one score
    score = float(row[_SCORE] or 0.0)
    body = json.dumps([row[_TRACE_ID], row[_METRIC], score])
    return hashlib.sha256(body.encode()).digest()


def _identity(database: Database) -> str:
    """Name this very file: a new one counts its rows from 1, so it must not pass for the old."""
    with database.reading() as connection:
        known = connection.execute("SELECT identity FROM book").fetchone()
    if known is not None:
        return str(known[0])
    with database.writing() as connection:
        fresh = f"feedback-{secrets.token_hex(6)}"
        connection.execute("INSERT OR IGNORE INTO book(one, identity) VALUES (1, ?)", (fresh,))
        (identity,) = connection.execute("SELECT identity FROM book").fetchone()
    return str(identity)


_SCHEMA = (
    "CREATE TABLE keys(key TEXT PRIMARY KEY, digest BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE book(one INTEGER PRIMARY KEY CHECK (one = 1), identity TEXT NOT NULL) STRICT",
    table_of("feedback"),
)

assert columns_of("feedback") == ["key", "at", "trace_id", "metric", "score"]
