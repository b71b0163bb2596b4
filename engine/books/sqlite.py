"""How every SQLite file of a workspace is opened: a commit is on disk when it returns."""

import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.books.durable import make_folder
from engine.errors import BookError, StoreCorruptError, StoreFullError

SCHEMA_VERSION = 1
BUSY_S = 30.0
"""How long a writer waits for another process's transaction."""

_FULL = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
}
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Database:
    """One SQLite file, shared by the threads of this process and by other processes.

    Raises:
        StoreCorruptError: The file isn't a database; or, when ``schema`` is empty, it is missing
            or was never begun.
        StoreFullError: The file can't be opened or created now.
    """

    def __init__(self, path: Path, schema: Sequence[str]) -> None:
        self.path = path
        self._turn = threading.RLock()
        if schema:
            with _told(path):
                make_folder(path.parent)
        elif not path.exists():
            raise StoreCorruptError(
                f"{path}: missing; restore it, or let `doctor` name what it held"
            )
        with _told(path):
            self._connection = sqlite3.connect(
                path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
            )
            make_durable(self._connection)
            self._lay(schema)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is on disk when the block ends, or nothing of it.

        Raises:
            StoreFullError: It could not be made durable; nothing was written.
            StoreCorruptError: The file is damaged.
        """
        with self._turn, _told(self.path):
            yield from self._transaction("BEGIN IMMEDIATE")

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One snapshot: every query in the block sees the same rows."""
        with self._turn, _told(self.path):
            yield from self._transaction("BEGIN")

    def close(self) -> None:
        """Close the file; it stays readable by everybody else."""
        with self._turn:
            self._connection.close()

    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        self._connection.execute(begin)
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            # a failed COMMIT may have ended the transaction by itself
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def _lay(self, schema: Sequence[str]) -> None:
        if self._version() > 0:
            return
        if not schema:
            raise StoreCorruptError(
                f"{self.path}: an empty database, its beginning is lost; restore it from a backup"
            )
        with self.writing() as connection:
            # another process may have laid it while we waited for our turn
            if self._version() == 0:
                for statement in schema:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def _version(self) -> int:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise BookError(
                f"{self.path}: written by a newer Trimtab (schema {version}, this one reads "
                f"{SCHEMA_VERSION}); upgrade before opening it"
            )
        return int(version)


def make_durable(connection: sqlite3.Connection) -> None:
    """Set a connection so that a commit survives a loss of power."""
    connection.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")
    connection.execute("PRAGMA synchronous = FULL")
    deadline_s = time.monotonic() + BUSY_S
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            # two processes switching a new file at once are refused without any waiting
            if (
                error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY
                or time.monotonic() > deadline_s
            ):
                raise
            time.sleep(0.005)
        else:
            if mode != "wal":
                raise BookError(f"SQLite keeps journal mode {mode!r} here; use a local disk")
            return


def book_error(error: Exception, place: str) -> BookError:
    """Say what an error of SQLite or of the disk means for a book."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if isinstance(error, OSError) or primary in _FULL:
        return StoreFullError(f"{place}: can't be made durable now ({error}); free it, then retry")
    if primary in _CORRUPT:
        return StoreCorruptError(f"{place}: damaged ({error}); restore it from a backup")
    return BookError(f"{place}: {error}")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise book_error(error, str(path)) from error
