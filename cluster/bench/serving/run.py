"""`trimtab bench serving`: its parts, those that share a deployment one after another on it."""

import importlib
import os
import subprocess
from collections.abc import Callable, Sequence

import aiohttp

from cluster.bench.rows import Row
from cluster.bench.serving.ground import Ground, Setting, ground
from cluster.bench.serving.rounds import unmeasured
from engine.config.problem import did_you_mean
from engine.errors import ConfigError, TrimtabError

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
BROKEN = (TrimtabError, OSError, aiohttp.ClientError, subprocess.SubprocessError, ExceptionGroup)
"""What a part may end with where a deployment doesn't do as it should."""


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
            found += measured(name, setting)
    if together := [name for name in chosen if name in TOGETHER]:
        with ground(setting) as shared:
            for name in together:
                told(name)
                found += measured(name, shared)
    return found


def measured(name: str, where: Setting | Ground) -> list[Row]:
    """One part's rows; one that breaks off is a row that misses, and the others go on."""
    module = importlib.import_module(f"cluster.bench.serving.{name}")
    try:
        made: list[Row] = module.measure(where)
    except BROKEN as error:
        row = unmeasured(name, f"{name} broke off", "", f"{type(error).__name__}: {error}")
        return [row.model_copy(update={"passed": False})]
    return made
