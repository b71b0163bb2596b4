"""Many replays of one table, spread over processes."""

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import ClassVar

from engine.config.experiment import Experiment
from search.replay.engine import Asked, replay_once
from search.replay.outcomes import Outcomes
from search.replay.track import ReplayResult

Progress = Callable[[int], None]
"""Told how many replays are done."""


@dataclass(frozen=True, eq=False)
class Field:
    """What every replay of a comparison shares."""

    outcomes: Outcomes
    experiment: Experiment


def replicated(
    field: Field, asked: Sequence[Asked], *, jobs: int, progress: Progress
) -> list[ReplayResult]:
    """Answer every question, in its order, whichever process does it.

    Raises:
        ConfigError: A policy or the baseline is unknown.
        UnmeasuredError: A variant has no rated unit.
    """
    if jobs == 1 or len(asked) == 1:
        results = []
        for one in asked:
            results.append(replay_once(field.outcomes, field.experiment, one))
            progress(len(results))
        return results
    # Forked children would inherit locks of the threads that read the table.
    pool = ProcessPoolExecutor(
        min(jobs, len(asked)), get_context("spawn"), initializer=_Worker.start, initargs=(field,)
    )
    try:
        waiting = [pool.submit(_Worker.replay, one) for one in asked]
        for count, done in enumerate(as_completed(waiting), start=1):
            done.result()
            progress(count)
        return [one.result() for one in waiting]
    finally:
        pool.shutdown(cancel_futures=True)


class _Worker:
    """One process: it is sent the table once, then questions."""

    field: ClassVar[Field]

    @classmethod
    def start(cls, field: Field) -> None:
        # Whoever interrupts the command interrupts its parent, which then sends nothing more.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        cls.field = field

    @classmethod
    def replay(cls, asked: Asked) -> ReplayResult:
        return replay_once(cls.field.outcomes, cls.field.experiment, asked)
