"""What one request costs the recorder, and how fast one writer fills its spool."""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from cluster.bench.rows import Row
from cluster.bench.store.traffic import NODES, Fact, facts
from engine.books.catalogue import Catalogue
from engine.books.spool import Spool
from serve_apps.recorder import Recorder

AT_ONCE = 64
GROUP = 64
"""Rows in one commit of the spool alone."""


@dataclass(frozen=True)
class Cost:
    """What one of many took, by the clock and of the processor."""

    wall_us: float
    own_us: float


def measure(root: Path, *, quick: bool) -> list[Row]:
    """The recorder's cost a request, and a spool's spans a second and core."""
    requests = 5_000 if quick else 40_000
    rows = facts(requests)
    with tempfile.TemporaryDirectory(dir=root) as folder:
        each = asyncio.run(_recorded(Path(folder), rows))
    with tempfile.TemporaryDirectory(dir=root) as folder:
        spool = _spooled(Path(folder), rows)
    per_request = "an exposure and a trace recorded, 64 at once"
    written = "spans with their requests into the spool, 64 rows a commit"
    return [
        Row(id="record-core", what=f"{per_request}: a core's time", value=each.own_us, unit="us"),
        Row(id="record-clock", what=f"{per_request}: by the clock", value=each.wall_us, unit="us"),
        *(
            Row(id=name, what=f"{written}: {how}", value=len(NODES) * 1e6 / us, unit="spans/s")
            for name, how, us in (
                ("spool-core", "of a core's time", spool.own_us),
                ("spool-clock", "by the clock, which waits for the disk", spool.wall_us),
            )
        ),
    ]


async def _recorded(root: Path, rows: list[tuple[Fact, Fact]]) -> Cost:
    recorder = Recorder(root)
    waiting = iter(rows)

    async def serve() -> None:
        for (_, exposure), (_, trace) in waiting:
            await recorder.exposure(exposure)
            await recorder.trace(trace)

    async def all_at_once() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(serve())

    began, own = time.perf_counter(), time.process_time()
    await all_at_once()
    cost = _cost(began, own, len(rows))
    recorder.close()
    return cost


def _spooled(root: Path, rows: list[tuple[Fact, Fact]]) -> Cost:
    spool = Spool(root / "spools" / "bench.db", Catalogue(root / "catalogue.db"))
    flat = [row for pair in rows for row in pair]
    began, own = time.perf_counter(), time.process_time()
    for first in range(0, len(flat), GROUP):
        spool.write(flat[first : first + GROUP])
    cost = _cost(began, own, len(rows))
    spool.close()
    return cost


def _cost(began: float, own: float, count: int) -> Cost:
    wall_s, own_s = time.perf_counter() - began, time.process_time() - own
    return Cost(wall_us=wall_s / count * 1e6, own_us=own_s / count * 1e6)
