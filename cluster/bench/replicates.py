"""Replicates of a simulation: spread over processes, kept as they come, resumed where cut."""

import json
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

Result = dict[str, Any]


def replicated(
    path: Path,
    work: Callable[[str, int], Result],
    tasks: Sequence[tuple[str, int]],
    *,
    jobs: int = 1,
    until: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, list[Result]]:
    """Run `work(name, seed)` for every task that `path` does not hold yet; results by name.

    Each result is a line of the file before it counts, so a run that was cut goes on where it
    was. After `until` (monotonic seconds) nothing new begins, and what is there is returned.
    """
    known = _read(path)
    left = [task for task in tasks if task not in known]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as book, ProcessPoolExecutor(jobs) as pool:
        waiting: dict[Future[Result], tuple[str, int]] = {}
        queue = iter(left)
        while True:
            while len(waiting) < 2 * jobs and (until is None or time.monotonic() < until):
                task = next(queue, None)
                if task is None:
                    break
                waiting[pool.submit(work, *task)] = task
            if not waiting:
                break
            done = next(as_completed(waiting))
            task = waiting.pop(done)
            known[task] = done.result()
            line = {"name": task[0], "seed": task[1], "result": known[task]}
            book.write(json.dumps(line) + "\n")
            book.flush()
            if progress is not None:
                progress(len(known), len(tasks))
    found: dict[str, list[Result]] = {}
    for name, seed in tasks:
        if (name, seed) in known:
            found.setdefault(name, []).append(known[name, seed])
    return found


def _read(path: Path) -> dict[tuple[str, int], Result]:
    """The results of earlier runs; a line that was cut in the middle counts for nothing."""
    known: dict[tuple[str, int], Result] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                one = json.loads(line)
            except json.JSONDecodeError:
                continue
            known[one["name"], one["seed"]] = one["result"]
    return known
