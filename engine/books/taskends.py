"""How tasks end: written in one way, and counted by the process that wrote it."""

import sqlite3
import threading
from collections import Counter
from typing import NamedTuple

from engine.books.task import Ended

NO_FRAME = 0
"""A number that SQLite gives to no row."""


class End(NamedTuple):
    """How and when a task ends, and why where that says more."""

    state: Ended
    at: float
    reason: str | None = None


class Ends:
    """The endings that one process writes; safe for its threads.

    Where nothing of a request may stay, what a task asked is dropped as it ends: nobody reads it
    any more, its key is known by a digest, and its answer lies apart.
    """

    def __init__(self, *, drops_asked: bool) -> None:
        self._drops_asked = drops_asked
        self._turn = threading.Lock()
        self._counts: Counter[Ended] = Counter()

    def write(
        self, connection: sqlite3.Connection, end: End, where: str, *values: object
    ) -> list[int]:
        """End the tasks that a condition names; their numbers."""
        ended = connection.execute(
            "UPDATE tasks SET state = ?, reason = ?, due = NULL, ended_at = ? "
            f"WHERE {where} RETURNING seq, asked",
            (end.state, end.reason, end.at, *values),
        ).fetchall()
        if self._drops_asked:
            numbers = [(asked,) for _, asked in ended]
            connection.executemany("DELETE FROM frames WHERE number = ?", numbers)
            # the next frame may get the number that is free now, and is not this task's
            tasks = [(NO_FRAME, seq) for seq, _ in ended]
            connection.executemany("UPDATE tasks SET asked = ? WHERE seq = ?", tasks)
        return [seq for seq, _ in ended]

    def count(self, state: Ended, tasks: int) -> None:
        """Count tasks whose end is committed."""
        if tasks:
            with self._turn:
                self._counts[state] += tasks

    def taken(self) -> Counter[Ended]:
        """How many tasks ended how since this was last asked."""
        with self._turn:
            counts, self._counts = self._counts, Counter()
        return counts
