"""Whether processes and the disk stay within stated bounds."""

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np

from cluster.chaos.evidence import DiskUse, Evidence, Verdict, Watched, verdict

RSS_MIB: Mapping[str, float] = {"embedder": 1_500.0}
"""The most that a process of this role may hold; any other one `USUAL_RSS_MIB`."""
USUAL_RSS_MIB = 1_000.0
FDS = 1_000
DISK_MIB = 512.0
GROWTH_MIB = 100.0
"""From the first third of a process's life to its last third."""
GROWTH_FDS = 100
LEAST = 45
"""Fewer moments of a process, which are taken every two seconds, tell of its start alone."""


def bounded(evidence: Evidence) -> Verdict:
    """No process and no folder grows without end."""
    watched = sorted(evidence.watched, key=lambda one: (one.pid, one.at))
    broken = [
        f"{one.role} {one.pid} held {one.rss_mib:.0f} MiB"
        for one in watched
        if one.rss_mib > RSS_MIB.get(one.role, USUAL_RSS_MIB)
    ]
    broken += [f"{one.role} {one.pid} had {one.fds} files open" for one in watched if one.fds > FDS]
    for _, life in groupby(watched, key=lambda one: one.pid):
        broken += _growing(list(life))
    broken += _filling(evidence.disk)
    return verdict("I8", "memory, open files and disk stay bounded", len(watched), broken)


def _growing(life: Sequence[Watched]) -> list[str]:
    if len(life) < LEAST:
        return []
    third = len(life) // 3
    # The first third is left to warming up: caches, connections, lazily imported modules.
    middle, late = life[third : 2 * third], life[2 * third :]
    grown = {
        f"MiB (over {GROWTH_MIB:g})": (
            np.median([x.rss_mib for x in late]) - np.median([x.rss_mib for x in middle]),
            GROWTH_MIB,
        ),
        f"open files (over {GROWTH_FDS})": (
            np.median([x.fds for x in late]) - np.median([x.fds for x in middle]),
            GROWTH_FDS,
        ),
    }
    who = f"{life[0].role} {life[0].pid}"
    return [f"{who} grew by {by:.0f} {unit}" for unit, (by, most) in grown.items() if by > most]


def _filling(disk: Sequence[DiskUse]) -> list[str]:
    most = max((one.mib for one in disk), default=0.0)
    return [f"the workspace took {most:.0f} MiB"] if most > DISK_MIB else []
