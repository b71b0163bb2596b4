"""How tasks lie in their book: the tables, the statements and a row's way in and out."""

import hashlib
import sqlite3
from typing import Any

from engine.books import packed
from engine.books.task import NewTask, Submitted, Task
from engine.errors import NotFoundError

OPEN = "state IN ('queued', 'running')"
HELD = "id = ? AND token = ? AND state = 'running'"
DUE = f"SELECT seq, attempts, deadline_at FROM tasks WHERE {OPEN} AND due <= ? ORDER BY due LIMIT ?"
CLAIM = (
    "UPDATE tasks SET state = 'running', started_at = ?, due = ?, token = token + 1, "
    "attempts = attempts + 1 WHERE seq = ? "
    "RETURNING id, token, attempts, workflow, asked, deadline_at"
)
COLUMNS = "id, workflow, state, submitted_at, deadline_at, started_at, ended_at, attempts, reason"
SCHEMA = (
    "CREATE TABLE tasks(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, workflow TEXT NOT NULL, "
    "owner TEXT NOT NULL, state TEXT NOT NULL, due REAL, submitted_at REAL NOT NULL, "
    "deadline_at REAL NOT NULL, started_at REAL, ended_at REAL, attempts INTEGER NOT NULL, "
    "token INTEGER NOT NULL, key BLOB, digest BLOB, reason TEXT, asked BLOB NOT NULL, "
    "answered BLOB) STRICT",
    f"CREATE INDEX waiting ON tasks(due) WHERE {OPEN}",
    "CREATE INDEX ended ON tasks(ended_at) WHERE ended_at IS NOT NULL",
    "CREATE UNIQUE INDEX keys ON tasks(key) WHERE key IS NOT NULL",
)


def enter(connection: sqlite3.Connection, task: NewTask, frame: bytes, *, room: bool) -> Submitted:
    """Write a new task unless its key is known or there is no room."""
    key = digest = None
    if task.key is not None:
        key = _digest(task.owner.encode(), task.key.encode())
        digest = _digest(task.workflow.encode(), task.asked)
        known = connection.execute("SELECT id, digest FROM tasks WHERE key = ?", (key,)).fetchone()
        if known is not None:
            return Submitted("known" if known[1] == digest else "conflict", known[0].hex())
    if not room:
        return Submitted("full", task.id)
    connection.execute(
        "INSERT INTO tasks(id, workflow, owner, state, due, submitted_at, deadline_at, attempts, "
        "token, key, digest, asked) VALUES (?, ?, ?, 'queued', ?, ?, ?, 0, 0, ?, ?, ?)",
        (
            key_of(task.id),
            task.workflow,
            task.owner,
            task.submitted_at,
            task.submitted_at,
            task.deadline_at,
            key,
            digest,
            frame,
        ),
    )
    packed.took_in(connection, len(task.asked))
    return Submitted("queued", task.id)


def end(connection: sqlite3.Connection, seq: int, state: str, reason: str, at: float) -> None:
    """End a task that nobody works on."""
    connection.execute(
        "UPDATE tasks SET state = ?, reason = ?, due = NULL, ended_at = ? WHERE seq = ?",
        (state, reason, at, seq),
    )


def found(connection: sqlite3.Connection, id: str, columns: str) -> tuple[Any, ...]:
    """These columns of a task.

    Raises:
        NotFoundError: There is none of that id any more.
    """
    row: tuple[Any, ...] | None = connection.execute(
        f"SELECT {columns} FROM tasks WHERE id = ?", (key_of(id),)
    ).fetchone()
    if row is None:
        raise NotFoundError(f"task {id} is not kept any more")
    return row


def task_of(row: tuple[Any, ...]) -> Task:
    """A row of `COLUMNS` as a task."""
    return Task(row[0].hex(), *row[1:])


def key_of(id: str) -> bytes:
    """An id as it is stored."""
    try:
        return bytes.fromhex(id)
    except ValueError as error:
        raise NotFoundError(f"task id {id!r} was never given out here") from error


def _digest(*parts: bytes) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()[:16]
