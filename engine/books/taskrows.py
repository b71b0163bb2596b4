"""How tasks lie in their book: the tables, the statements and a row's way in and out."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from engine.books import packed
from engine.books.durable import make_folder
from engine.books.sqlite import book_error, make_durable
from engine.books.task import NewTask, Submitted, Task
from engine.errors import NotFoundError

OPEN = "state IN ('queued', 'running')"
HELD = "id = ? AND token = ? AND state = 'running'"
DUE = f"SELECT seq, attempts, deadline_at FROM tasks WHERE {OPEN} AND due <= ? ORDER BY due LIMIT ?"
CLAIM = (
    "UPDATE tasks SET state = 'running', started_at = ?, due = ?, token = token + 1, "
    "attempts = attempts + 1 WHERE seq = ? RETURNING id, token, attempts, workflow, owner, "
    "(SELECT frame FROM frames WHERE number = asked), deadline_at"
)
FRAMES = (
    "SELECT seq, one.frame, other.frame FROM tasks LEFT JOIN frames AS one ON one.number = asked "
    "LEFT JOIN frames AS other ON other.number = answered WHERE seq > ? ORDER BY seq LIMIT ?"
)
STANDING = f"SELECT state, count(*), min(submitted_at) FROM tasks WHERE {OPEN} GROUP BY state"
ANSWER = "(SELECT frame FROM frames WHERE number = answered)"
COLUMNS = "id, workflow, state, submitted_at, deadline_at, started_at, ended_at, attempts, reason"
SCHEMA = (
    "CREATE TABLE tasks(seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, workflow TEXT NOT NULL, "
    "owner TEXT NOT NULL, state TEXT NOT NULL, due REAL, submitted_at REAL NOT NULL, "
    "deadline_at REAL NOT NULL, started_at REAL, ended_at REAL, attempts INTEGER NOT NULL, "
    "token INTEGER NOT NULL, key BLOB, digest BLOB, reason TEXT, asked INTEGER NOT NULL, "
    "answered INTEGER) STRICT",
    # apart from what changes, and only ever added to: its pages stay full
    "CREATE TABLE frames(number INTEGER PRIMARY KEY, frame BLOB NOT NULL) STRICT",
    f"CREATE INDEX waiting ON tasks(due) WHERE {OPEN}",
    "CREATE INDEX ended ON tasks(ended_at) WHERE ended_at IS NOT NULL",
    "CREATE UNIQUE INDEX keys ON tasks(key) WHERE key IS NOT NULL",
)
PAGE_BYTES = 16_384
"""A packed conversation fills a good part of SQLite's own page of 4 KiB, which wastes the rest."""


def prepare(path: Path) -> None:
    """Make a new book's file with its pages; one that is there keeps its own.

    Raises:
        StoreFullError: It can't be made now.
    """
    if path.exists():
        return
    try:
        make_folder(path.parent)
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            make_durable(connection)
    except (sqlite3.Error, OSError) as error:
        raise book_error(error, str(path)) from error


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
            kept(connection, frame),
        ),
    )
    packed.took_in(connection, len(task.asked))
    return Submitted("queued", task.id)


def kept(connection: sqlite3.Connection, frame: bytes) -> int:
    """Keep a frame; its number."""
    (number,) = connection.execute(
        "INSERT INTO frames(frame) VALUES (?) RETURNING number", (frame,)
    ).fetchone()
    return int(number)


def exchange(
    connection: sqlite3.Connection, seq: int, asked: bytes | None, answered: bytes | None
) -> None:
    """Keep these frames for a task instead of those that it has; one that is swept stays so."""
    for column, frame in (("asked", asked), ("answered", answered)):
        old = connection.execute(f"SELECT {column} FROM tasks WHERE seq = ?", (seq,)).fetchone()
        if old is not None and frame is not None:
            connection.execute("DELETE FROM frames WHERE number = ?", old)
            new = kept(connection, frame)
            connection.execute(f"UPDATE tasks SET {column} = ? WHERE seq = ?", (new, seq))


def drop(connection: sqlite3.Connection, before: float, most: int) -> int:
    """Delete tasks that ended before, and what they held; how many there were."""
    gone = connection.execute(
        "DELETE FROM tasks WHERE seq IN (SELECT seq FROM tasks WHERE ended_at < ? LIMIT ?) "
        "RETURNING asked, answered",
        (before, most),
    ).fetchall()
    numbers = [(number,) for pair in gone for number in pair if number is not None]
    connection.executemany("DELETE FROM frames WHERE number = ?", numbers)
    if gone:
        give_back_pages(connection)
    return len(gone)


def give_back_pages(connection: sqlite3.Connection) -> None:
    """Shorten the file by pages that hold nothing any more."""
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    for _ in range(free):
        # Python's sqlite3 takes the first step of this pragma only: one page
        connection.execute("PRAGMA incremental_vacuum(1)")


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
