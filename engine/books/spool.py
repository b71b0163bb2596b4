"""Where one process keeps its new facts until they are shipped."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from itertools import chain
from pathlib import Path

from engine.books import lock
from engine.books.catalogue import Catalogue
from engine.books.durable import make_folder
from engine.books.group import CAPACITY, GroupCommit
from engine.books.points import Passing, unwatched
from engine.books.rows import Values, insert_of, table_of, values_of
from engine.books.sqlite import Database, book_error
from engine.errors import BookError
from engine.evidence.records import Kind

KINDS: tuple[Kind, ...] = ("exposure", "trace")
"""The kinds that a spool holds; feedback has its own book."""
MOST_ROWS = 64
"""Rows in one statement."""

Row = tuple[Kind, Mapping[str, object]]


class Spool:
    """One file with one writer: a row is on disk when `write` returns, or not there at all.

    The file's stem is the writer's name. A name is never used for a second file: a row's
    number is its shipping mark, and numbers begin again in a new file.

    Raises:
        BookError: Another process holds this spool, or its name was used before.
        StoreFullError: It can't be made here now.
    """

    def __init__(
        self,
        path: Path,
        catalogue: Catalogue | None = None,
        *,
        passing: Passing = unwatched,
    ) -> None:
        self.path = path
        self.writer = path.stem
        self._passing = passing
        _make_room(path)
        self._lock = _held(path)
        try:
            fresh = not path.exists()
            self._database = Database(path, [table_of(kind) for kind in KINDS])
            if catalogue is not None:
                catalogue.register(path, os.getpid(), time.time(), fresh=fresh)
        except BaseException:
            self._lock.release()
            raise

    def write(self, rows: Sequence[Row]) -> None:
        """Commit these rows in one transaction.

        Raises:
            StoreFullError: None of them was written; the spool goes on when space returns.
            BookError: A row doesn't fit its schema; none of them was written.
        """
        self.write_values([(_kept(kind), values_of(kind, row)) for kind, row in rows])

    def write_values(self, rows: Sequence[tuple[Kind, Values]]) -> None:
        """Commit rows that are checked already."""
        with self._database.writing() as connection:
            for kind in KINDS:
                _insert(connection, kind, [row for of, row in rows if of == kind])
            self._passing("before commit")
        self._passing("after commit")

    def close(self) -> None:
        """Close the file and let the compactor take over what it holds."""
        self._database.close()
        self._lock.release()


class Committer:
    """Writes to a spool for many waiting requests, one commit for all who wait.

    From asyncio: ``await committer.hand(kind, row)``.
    """

    def __init__(self, spool: Spool, *, capacity: int = CAPACITY) -> None:
        write: Callable[[Sequence[tuple[Kind, Values]]], Sequence[None]] = _told_nothing(spool)
        self._group = GroupCommit(write, capacity=capacity)

    def submit(self, kind: Kind, row: Mapping[str, object]) -> Future[None]:
        """Hand over a row; the future resolves after its commit, or fails with StoreFullError.

        Raises:
            StoreFullError: Too many rows wait already.
            BookError: The row doesn't fit its schema, or this writer is closed.
        """
        return self._group.submit((_kept(kind), values_of(kind, row)))

    def submit_many(self, rows: Iterable[Row]) -> list[Future[None]]:
        """Hand over several rows, all of them or none."""
        return self._group.submit_many([(_kept(kind), values_of(kind, row)) for kind, row in rows])

    def hand(self, kind: Kind, row: Mapping[str, object]) -> asyncio.Future[None]:
        """Hand over a row from a running loop, as `submit` does; a whole group wakes it once."""
        return self._group.hand((_kept(kind), values_of(kind, row)))

    def close(self) -> None:
        """Write everything that waits, then stop; the spool stays open."""
        self._group.close()


def lock_path(spool: Path) -> Path:
    """The file whose lock says that this spool's writer lives."""
    return spool.with_suffix(".lock")


def _make_room(path: Path) -> None:
    try:
        make_folder(path.parent)
    except OSError as error:
        raise book_error(error, str(path)) from error


def _held(path: Path) -> lock.Lock:
    held = lock.take(lock_path(path))
    if held is None:
        raise BookError(f"{path}: another process writes here; give each process its own spool")
    return held


def _insert(connection: sqlite3.Connection, kind: Kind, rows: list[Values]) -> None:
    """Add rows, many at once: each statement gives up the interpreter and waits to have it back.

    Their numbers are powers of two, so that few statements stay prepared for ever.
    """
    done = 0
    while left := len(rows) - done:
        size = min(MOST_ROWS, 1 << (left.bit_length() - 1))
        values = list(chain.from_iterable(rows[done : done + size]))
        connection.execute(insert_of(kind, size), values)
        done += size


def _kept(kind: Kind) -> Kind:
    if kind not in KINDS:
        raise BookError(f"a spool holds {' and '.join(KINDS)}, not {kind}")
    return kind


def _told_nothing(spool: Spool) -> Callable[[Sequence[tuple[Kind, Values]]], Sequence[None]]:
    def write(rows: Sequence[tuple[Kind, Values]]) -> Sequence[None]:
        spool.write_values(rows)
        return [None] * len(rows)

    return write
