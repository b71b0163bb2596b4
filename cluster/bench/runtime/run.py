"""`trimtab bench runtime`: every part of it in a process of its own, one after another."""

import importlib
import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

from cluster.bench.rows import Row
from engine.config.problem import did_you_mean
from engine.errors import ConfigError

PARTS = (
    "graph",
    "concurrency",
    "client",
    "semantic_cache",
    "intent",
    "retrieval",
    "embedder",
    "production",
    "repeating",
    "ablation",
)
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


def rows(only: Sequence[str], *, quick: bool, told: Callable[[str], None]) -> list[Row]:
    """The rows of these parts; `told` hears each part's name before it begins."""
    found = [load()]
    # What one part imported and allocated would be in the next one's time and memory.
    alone = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=alone, max_tasks_per_child=1) as processes:
        for name in parts(only):
            told(name)
            found += processes.submit(measured, name, quick=quick).result()
    return found


def load() -> Row:
    """How busy the machine is already; where that is much, the times say little."""
    what = "processes that waited for a core in the last minute, a core"
    return Row(id="load", what=what, value=os.getloadavg()[0] / (os.cpu_count() or 1), unit="")


def measured(part: str, *, quick: bool) -> list[Row]:
    """One part's rows, measured here and now."""
    module = importlib.import_module(f"cluster.bench.runtime.{part}")
    made: list[Row] = module.measure(quick=quick)
    return made
