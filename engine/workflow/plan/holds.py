"""Who works on a request: one process at a time, and nobody once that process is dead."""

import os
from functools import cache

import psutil
from sqlalchemy import Connection, and_, delete, exists, func, insert, or_, select

from engine.workflow.plan.tables import HOLDS, QUESTIONS, RUNS, STEPS, added

SAME_S = 30.0
"""A process's start is known to the clock's own error; no process id comes back as soon."""

MOST_TIMES = 3
"""A request is gone on with after it was cut off, unless somebody asks for it by its id."""


def held(connection: Connection, run_id: str) -> bool:
    """Take hold of a request; False while a living process works on it."""
    pid = os.getpid()
    mine = {"run": run_id, "pid": pid, "started": _started(pid)}
    if added(connection, HOLDS, mine):
        return True
    row = connection.execute(select(HOLDS).where(HOLDS.c.run == run_id)).one()
    if _lives(row.pid, row.started):
        return False
    let_go(connection, run_id)
    connection.execute(insert(HOLDS).values(**mine))
    return True


def let_go(connection: Connection, run_id: str) -> None:
    """Let another process work on a request."""
    connection.execute(delete(HOLDS).where(HOLDS.c.run == run_id))


def abandoned(connection: Connection) -> list[str]:
    """Requests that could go on and that nobody works on, oldest first.

    One that was cut off time and again is left alone: it may be what kills the processes.
    """
    asks = exists().where(QUESTIONS.c.run == RUNS.c.id, QUESTIONS.c.decision.is_(None))
    times = (
        select(func.count())
        .where(STEPS.c.run == RUNS.c.id, STEPS.c.what == "again")
        .correlate(RUNS)
        .scalar_subquery()
    )
    can_go_on = or_(RUNS.c.status == "running", and_(RUNS.c.status == "waiting", ~asks))
    rows = connection.execute(
        select(RUNS.c.id, HOLDS.c.pid, HOLDS.c.started, times.label("times"))
        .join(HOLDS, HOLDS.c.run == RUNS.c.id, isouter=True)
        .where(can_go_on)
        .order_by(RUNS.c.at)
    )
    return [
        row.id
        for row in rows
        if row.times < MOST_TIMES and (row.pid is None or not _lives(row.pid, row.started))
    ]


@cache
def _started(pid: int) -> float:
    return float(psutil.Process(pid).create_time())


def _lives(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started) < SAME_S
        return is_same and bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
