"""Who works on a request: one process at a time, and nobody once that process is dead."""

import os
from functools import cache

import psutil
from sqlalchemy import Connection, delete, insert, select

from engine.workflow.plan.tables import HOLDS, added

SAME_S = 30.0
"""A process's start is known to the clock's own error; no process id comes back as soon."""


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
