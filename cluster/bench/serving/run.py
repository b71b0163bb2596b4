"""`trimtab bench serving`: its parts, those that share a deployment one after another on it."""

import importlib
import os
from collections.abc import Callable, Sequence

from cluster.bench.rows import Row
from cluster.bench.serving.ground import Setting, ground
from engine.config.problem import did_you_mean
from engine.errors import ConfigError

ALONE = ("start", "stored")
"""Parts that need no deployment, or one of their own."""
TOGETHER = (
    "ceiling",
    "throughput",
    "peers",
    "latency",
    "conversations",
    "seating",
    "changes",
    "memory",
)
PARTS = ALONE + TOGETHER
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


def rows(only: Sequence[str], setting: Setting, told: Callable[[str], None]) -> list[Row]:
    """The rows of these parts; `told` hears each part's name before it begins."""
    chosen = parts(only)
    what = "processes that waited for a core in the last minute, a core"
    found = [Row(id="load", what=what, value=os.getloadavg()[0] / (os.cpu_count() or 1), unit="")]
    for name in chosen:
        if name in ALONE:
            told(name)
            found += importlib.import_module(f"cluster.bench.serving.{name}").measure(setting)
    if together := [name for name in chosen if name in TOGETHER]:
        with ground(setting) as shared:
            for name in together:
                told(name)
                found += importlib.import_module(f"cluster.bench.serving.{name}").measure(shared)
    return found
