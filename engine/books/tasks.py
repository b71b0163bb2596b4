"""The one book of tasks: work that was accepted is done, whichever process lives to do it.

A task is claimed under a lease with a token. Who lets the lease run out loses the task to the next
claim, and the token of whoever lost it fits nothing any more: at least once, and one result.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.books import packed, tasklearning
from engine.books.packed import Packer
from engine.books.points import Passing, unwatched
from engine.books.sqlite import Database
from engine.books.task import (
    Claimed,
    Ended,
    Ending,
    NewTask,
    Standing,
    State,
    Submitted,
    Task,
)
from engine.books.taskends import End, Ends
from engine.books.tasklearning import Masking
from engine.books.taskrows import (
    ANSWER,
    CLAIM,
    COLUMNS,
    DUE,
    HELD,
    OPEN,
    SCHEMA,
    STANDING,
    drop,
    enter,
    found,
    kept,
    key_of,
    prepare,
    task_of,
)
from engine.config.tasks import ATTEMPTS, CAPACITY, RETENTION_S
from engine.errors import StoreCorruptError

AT_ONCE = 500
"""Tasks deleted in one transaction."""


class TaskBook:
    """A workspace's tasks; shared by the threads of a process and by other processes.

    With ``masking`` nothing that a client wrote outlives its task unmasked: what was asked is
    dropped when the task has ended, and dictionaries are learnt from masked payloads.

    Raises:
        StoreFullError: The file can't be opened or created now.
    """

    def __init__(
        self,
        path: Path,
        *,
        capacity: int = CAPACITY,
        masking: Masking | None = None,
        passing: Passing = unwatched,
    ) -> None:
        self._passing = passing
        self._capacity = capacity
        self._masking = masking
        prepare(path)
        self._database = Database(path, (*SCHEMA, *packed.SCHEMA))
        self._packer = Packer(self._database)
        self._ends = Ends(drops_asked=masking is not None)
        if masking is not None:
            with self._database.writing() as connection:
                # what is deleted is overwritten, and not left in the file until its page is used
                connection.execute("PRAGMA secure_delete = ON")

    def submit(self, tasks: Sequence[NewTask]) -> list[Submitted]:
        """Commit these tasks in one transaction and say for each what became of it.

        An owner's key with the same body again is the task that it began; with another body it is
        a conflict. A key is known as long as its task is.

        Raises:
            StoreFullError: None was written.
        """
        frames = [self._packer.pack(task.asked) for task in tasks]
        with self._database.writing() as connection:
            (taken,) = connection.execute(f"SELECT count(*) FROM tasks WHERE {OPEN}").fetchone()
            answers = []
            for task, frame in zip(tasks, frames, strict=True):
                answer = enter(connection, task, frame, room=self._capacity > taken)
                taken += answer.outcome == "queued"
                answers.append(answer)
            self._passing("before commit")
        self._passing("after commit")
        return answers

    def is_due(self, now: float) -> bool:
        """Whether a claim would find something; asks without waiting for any writer."""
        with self._database.reading() as connection:
            return connection.execute(DUE, (now, 1)).fetchone() is not None

    def claim(
        self, now: float, lease_s: float, *, most: int, attempts: int = ATTEMPTS
    ) -> list[Claimed]:
        """Take up to ``most`` tasks that nobody works on, the longest waiting first.

        Tasks past their deadline are expired, and those that cost too many workers have failed.
        """
        claimed, lost = [], Counter[Ended]()
        with self._database.writing() as connection:
            for seq, tried, deadline_at in connection.execute(DUE, (now, most)).fetchall():
                if deadline_at <= now or tried >= attempts:
                    end = (
                        End("expired", now, "deadline")
                        if deadline_at <= now
                        else End("failed", now, "attempts")
                    )
                    lost[end.state] += len(self._ends.write(connection, end, "seq = ?", seq))
                else:
                    claimed.append(connection.execute(CLAIM, (now, now + lease_s, seq)).fetchone())
            self._passing("before commit")
        for state, tasks in lost.items():
            self._ends.count(state, tasks)
        self._passing("after commit")
        return [one for row in claimed if (one := self._opened(row, now)) is not None]

    def renew(self, held: Sequence[tuple[str, int]], until: float) -> list[bool]:
        """Prolong leases by id and token; False where the task was lost or cancelled."""
        with self._database.writing() as connection:
            return [
                connection.execute(
                    f"UPDATE tasks SET due = ? WHERE {HELD}", (until, key_of(id), token)
                ).rowcount
                == 1
                for id, token in held
            ]

    def holds(self, held: Sequence[tuple[str, int]]) -> list[bool]:
        """Whether each is still in the hands of whoever shows its token; writes nothing."""
        if not held:
            return []
        with self._database.reading() as connection:
            return [
                connection.execute(
                    f"SELECT 1 FROM tasks WHERE {HELD}", (key_of(id), token)
                ).fetchone()
                is not None
                for id, token in held
            ]

    def finish(
        self,
        id: str,
        token: int,
        ending: Ending,
        at: float,
        *,
        answered: bytes | None = None,
        reason: str | None = None,
    ) -> bool:
        """End a task; False, and nothing written, where it was lost or cancelled meanwhile."""
        frame = None if answered is None else self._packer.pack(answered)
        with self._database.writing() as connection:
            end = End(ending, at, reason)
            ended = self._ends.write(connection, end, HELD, key_of(id), token)
            if ended and frame is not None:
                number = kept(connection, frame)
                connection.execute("UPDATE tasks SET answered = ? WHERE seq = ?", (number, *ended))
                packed.took_in(connection, len(answered or b""))
            self._passing("before commit")
        self._ends.count(ending, len(ended))
        self._passing("after commit")
        return bool(ended)

    def release(self, id: str, token: int, due: float) -> bool:
        """Give a task back to the queue, to be claimed from ``due`` on; it costs no attempt."""
        with self._database.writing() as connection:
            return (
                connection.execute(
                    "UPDATE tasks SET state = 'queued', due = ?, attempts = attempts - 1, "
                    f"started_at = NULL WHERE {HELD}",
                    (due, key_of(id), token),
                ).rowcount
                == 1
            )

    def cancel(self, id: str, at: float) -> Task:
        """End a task that hasn't ended; its worker, if any, hears of it at the next renewal.

        Raises:
            NotFoundError: There is none of that id any more.
        """
        with self._database.writing() as connection:
            end = End("cancelled", at)
            ended = self._ends.write(connection, end, f"id = ? AND {OPEN}", key_of(id))
            task = task_of(found(connection, id, COLUMNS))
        self._ends.count("cancelled", len(ended))
        return task

    def status(self, id: str) -> Task:
        """How a task stands.

        Raises:
            NotFoundError: There is none of that id any more.
        """
        with self._database.reading() as connection:
            return task_of(found(connection, id, COLUMNS))

    def result(self, id: str) -> bytes | None:
        """What a task was answered; None where nothing was.

        Raises:
            NotFoundError: There is none of that id any more.
            StoreCorruptError: It can't be read.
        """
        with self._database.reading() as connection:
            (frame,) = found(connection, id, ANSWER)
        return None if frame is None else self._packer.unpack(frame)

    def owned(
        self,
        owner: str,
        *,
        workflow: str | None = None,
        state: State | None = None,
        most: int = 100,
    ) -> list[Task]:
        """An owner's tasks, the newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {COLUMNS} FROM tasks WHERE owner = ?1 "
                "AND (?2 IS NULL OR workflow = ?2) AND (?3 IS NULL OR state = ?3) "
                "ORDER BY seq DESC LIMIT ?4",
                (owner, workflow, state, most),
            ).fetchall()
        return [task_of(row) for row in rows]

    def counts(self) -> dict[str, int]:
        """How many tasks are in each state."""
        with self._database.reading() as connection:
            return dict(
                connection.execute("SELECT state, count(*) FROM tasks GROUP BY state").fetchall()
            )

    def standing(self, now: float) -> Standing:
        """How many tasks wait and run, and since when."""
        with self._database.reading() as connection:
            rows = connection.execute(STANDING).fetchall()
        found = {state: (tasks, since) for state, tasks, since in rows}
        waiting, since = found.get("queued", (0, now))
        running, _ = found.get("running", (0, now))
        return Standing(waiting, running, max(now - since, 0.0))

    def endings(self) -> Counter[Ended]:
        """How many tasks this process ended, and how, since this was last asked."""
        return self._ends.taken()

    def sweep(self, now: float, *, retention_s: float = RETENTION_S) -> int:
        """Expire what waited too long, delete what ended long ago; how many were deleted."""
        with self._database.writing() as connection:
            late = "state = 'queued' AND deadline_at <= ?"
            expired = self._ends.write(connection, End("expired", now, "deadline"), late, now)
            gone = drop(connection, now - retention_s, AT_ONCE)
            (oldest_at,) = connection.execute(
                "SELECT coalesce(min(submitted_at), ?) FROM tasks", (now,)
            ).fetchone()
            packed.forget(connection, oldest_at)
        self._ends.count("expired", len(expired))
        return gone

    def learn(self, at: float) -> bool:
        """Learn a dictionary from the newest tasks when it is time; whether one was learnt."""
        masking = self._masking or (lambda payload: payload)
        return tasklearning.learn(self._database, self._packer, at, masking)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _opened(self, row: tuple[Any, ...], now: float) -> Claimed | None:
        id, token, attempt, workflow, owner, frame, deadline_at = row
        try:
            asked = self._packer.unpack(frame)
        except StoreCorruptError:
            # no worker could ever do it, and the tasks claimed with it must not wait for it
            self.finish(id.hex(), token, "failed", now, reason="unreadable")
            return None
        return Claimed(id.hex(), token, attempt, workflow, owner, asked, deadline_at)
