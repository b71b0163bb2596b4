"""Keeps conversations in a file: a turn that was acknowledged survives the process."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from engine.books.group import GroupCommit
from engine.books.sqlite import Database
from engine.config.agents import Conversations
from engine.workflow.sessions.packing import packed, unpacked
from engine.workflow.sessions.session import Session, StaleSessionError, bounded

SWEPT = 100
"""Expired conversations that one commit erases, at most."""

_SCHEMA = (
    """
    CREATE TABLE conversations (
        id TEXT PRIMARY KEY,
        version INTEGER NOT NULL,
        expires_at REAL NOT NULL,
        body BLOB NOT NULL
    )
    """,
    "CREATE INDEX by_expiry ON conversations (expires_at)",
)
_LOAD = "SELECT body, version FROM conversations WHERE id = ? AND expires_at > ?"
_FIRST = """
    INSERT INTO conversations (id, version, expires_at, body) VALUES (:id, 1, :expires_at, :body)
    ON CONFLICT (id) DO UPDATE
    SET version = 1, expires_at = excluded.expires_at, body = excluded.body
    WHERE conversations.expires_at <= :now
"""
_NEXT = """
    UPDATE conversations SET version = version + 1, expires_at = :expires_at, body = :body
    WHERE id = :id AND version = :version AND expires_at > :now
"""
_FORGET = "DELETE FROM conversations WHERE id = :id"
_SWEEP = """
    DELETE FROM conversations WHERE id IN (
        SELECT id FROM conversations WHERE expires_at <= ? ORDER BY expires_at LIMIT ?
    )
"""


@dataclass(frozen=True)
class _Change:
    id: str
    version: int = 0
    body: bytes | None = None
    """None to forget it."""


class SqliteSessions:
    """For the processes of one machine; all that wait at once share one commit.

    Raises:
        StoreFullError: The file can't be opened or created now.
        StoreCorruptError: It isn't a database.
    """

    def __init__(
        self,
        path: Path,
        settings: Conversations | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings or Conversations()
        self._now = now
        self._writing = Database(path, _SCHEMA)
        # a connection of its own: who reads waits for no commit
        self._reading = Database(path, _SCHEMA)
        self._group: GroupCommit[_Change, bool] = GroupCommit(self._commit)

    async def load(self, id: str) -> Session:
        """See `Sessions.load`."""
        return await asyncio.to_thread(self._load, id)

    async def save(self, id: str, session: Session) -> Session:
        """See `Sessions.save`; it returns once the turn is on disk."""
        saved = replace(bounded(session, self._settings), version=session.version + 1)
        if not await self._made(_Change(id, session.version, packed(saved))):
            raise StaleSessionError(id, session.version)
        return saved

    async def forget(self, id: str) -> None:
        """See `Sessions.forget`."""
        await self._made(_Change(id))

    def close(self) -> None:
        """Write everything that waits, then close the file."""
        self._group.close()
        self._writing.close()
        self._reading.close()

    async def _made(self, change: _Change) -> bool:
        return await self._group.hand(change)

    def _load(self, id: str) -> Session:
        with self._reading.reading() as connection:
            row = connection.execute(_LOAD, (id, self._now())).fetchone()
        return Session() if row is None else unpacked(*row)

    def _commit(self, changes: Sequence[_Change]) -> list[bool]:
        now = self._now()
        with self._writing.writing() as connection:
            connection.execute(_SWEEP, (now, SWEPT))
            return [self._changed(connection, change, now) for change in changes]

    def _changed(self, connection: sqlite3.Connection, change: _Change, now: float) -> bool:
        if change.body is None:
            connection.execute(_FORGET, {"id": change.id})
            return True
        values = {
            "id": change.id,
            "body": change.body,
            "expires_at": now + self._settings.ttl_s,
            "now": now,
        }
        if change.version == 0:
            return connection.execute(_FIRST, values).rowcount == 1
        return connection.execute(_NEXT, values | {"version": change.version}).rowcount == 1
