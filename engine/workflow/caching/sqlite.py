"""A store in one SQLite file, which the processes of one machine share and a restart leaves."""

import asyncio
import sqlite3
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from engine.workflow.caching.store import Kept, StoreGoneError

T = TypeVar("T")
SWEEP_EVERY = 256
"""Puts from one sweep to the next."""
MOST_ENTRIES = 200_000
"""Of the file; beyond it those that expire soonest go."""
BUSY_S = 0.25
"""How long another process's write is waited for: a cache that makes wait is worth nothing."""
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS entry (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    expires REAL NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (namespace, key)
);
CREATE INDEX IF NOT EXISTS entry_expires ON entry (expires);
"""


class SqliteStore:
    """Keeps entries by the wall clock, because processes share no other."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        # One thread owns the connection, so a caller that goes away tears nothing.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cache-sqlite")
        self._connection: sqlite3.Connection | None = None
        self._puts = 0

    async def get(self, namespace: str, key: str) -> Kept | None:
        """The entry, unless it expired.

        Raises:
            StoreGoneError: The file can't be read.
        """
        return await self._inside(lambda connection: self._read(connection, namespace, key))

    async def put(self, namespace: str, key: str, value: bytes, ttl_s: float) -> None:
        """Keep the entry, compressed.

        Raises:
            StoreGoneError: The file can't be written.
        """
        await self._inside(lambda connection: self._write(connection, namespace, key, value, ttl_s))

    async def drop(self, namespace: str) -> None:
        """Forget everything of this namespace, in every process.

        Raises:
            StoreGoneError: The file can't be written.
        """
        await self._inside(
            lambda connection: connection.execute(
                "DELETE FROM entry WHERE namespace = ?", (namespace,)
            )
        )

    async def close(self) -> None:
        """Close the file."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._shut)
        self._thread.shutdown(wait=False)

    async def _inside(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def done() -> T:
            try:
                return work(self._open())
            except (sqlite3.Error, OSError) as error:
                self._shut()
                raise StoreGoneError(f"cache {self._path}: {error}") from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, done)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self._path, timeout=BUSY_S, isolation_level=None)
            self._connection.executescript(_SCHEMA)
        return self._connection

    def _shut(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _read(self, connection: sqlite3.Connection, namespace: str, key: str) -> Kept | None:
        now = self._clock()
        row = connection.execute(
            "SELECT value, expires FROM entry WHERE namespace = ? AND key = ? AND expires > ?",
            (namespace, key, now),
        ).fetchone()
        if row is None:
            return None
        try:
            return Kept(zlib.decompress(row[0]), row[1] - now)
        except zlib.error:
            # A torn value is as good as none.
            return None

    def _write(
        self, connection: sqlite3.Connection, namespace: str, key: str, value: bytes, ttl_s: float
    ) -> None:
        if self._puts % SWEEP_EVERY == 0:
            self._sweep(connection)
        self._puts += 1
        connection.execute(
            "INSERT OR REPLACE INTO entry (namespace, key, expires, value) VALUES (?, ?, ?, ?)",
            (namespace, key, self._clock() + ttl_s, zlib.compress(value, 1)),
        )

    def _sweep(self, connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM entry WHERE expires <= ?", (self._clock(),))
        (count,) = connection.execute("SELECT count(*) FROM entry").fetchone()
        if count > MOST_ENTRIES:
            connection.execute(
                "DELETE FROM entry WHERE rowid IN "
                "(SELECT rowid FROM entry ORDER BY expires LIMIT ?)",
                (count - MOST_ENTRIES,),
            )
