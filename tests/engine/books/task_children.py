"""Workers that die over their tasks."""

import os
from pathlib import Path

from engine.books.task import NewTask
from engine.books.tasks import TaskBook

KILLED = 137


def task(id, at=0.0, *, key=None, asked=b'{"n": 1}', owner="", workflow="w", lasts_s=1e6):
    return NewTask(id, workflow, asked, at, at + lasts_s, owner, key)


def die_at(path, point):
    """Submit, claim and finish, and die at this point of the last step that passes it."""

    def passing(at):
        if at == point:
            os._exit(KILLED)

    book = TaskBook(Path(path), passing=passing)
    book.submit([task("aa")])


def claim_and_die(path, now):
    """Claim a task and die with it in hand."""
    assert len(TaskBook(Path(path)).claim(float(now), 10.0, most=1)) == 1
    os._exit(KILLED)


def race(path, journal):
    """Claim and finish until nothing is left; write down what was won."""
    book = TaskBook(Path(path))
    won = []
    while claimed := book.claim(1.0, 1000.0, most=3):
        won += [one.id for one in claimed if book.finish(one.id, one.token, "done", 2.0)]
    Path(journal).write_text("\n".join(won))
