"""`trimtab bench store`: every part in a process of its own, one after another."""

import importlib
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from cluster.bench.rows import Row
from cluster.bench.runtime.run import load
from engine.config.problem import did_you_mean
from engine.errors import ConfigError

PARTS = ("recording", "compaction", "looking")
"""Modules of this package, each with a `measure` that gives its rows."""


def parts(only: Sequence[str]) -> list[str]:
    """The named parts in their own order, or all of them.

    Raises:
        ConfigError: There is no such part.
    """
    for name in only:
        if name not in PARTS:
            raise ConfigError(f"--only: no part {name!r}; {did_you_mean(name, PARTS)}")
    return [name for name in PARTS if not only or name in only]


def rows(root: Path, only: Sequence[str], *, quick: bool, told: Callable[[str], None]) -> list[Row]:
    """The rows of these parts, measured on the disk of `root`."""
    root.mkdir(parents=True, exist_ok=True)
    found = [load()]
    # what one part read would be in the next one's memory
    alone = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=alone, max_tasks_per_child=1) as processes:
        for name in parts(only):
            told(name)
            found += processes.submit(measured, name, root, quick=quick).result()
    return found


def measured(part: str, root: Path, *, quick: bool) -> list[Row]:
    """One part's rows, measured here and now."""
    module = importlib.import_module(f"cluster.bench.store.{part}")
    made: list[Row] = module.measure(root, quick=quick)
    return made
