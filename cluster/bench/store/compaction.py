"""How fast spools become files, and what a span weighs there."""

import tempfile
import time
from pathlib import Path

from cluster.bench.rows import Row, compared
from cluster.bench.store.traffic import NODES, facts
from engine.books.catalogue import Catalogue
from engine.books.compactor import Compactor
from engine.books.spool import Spool


def measure(root: Path, *, quick: bool) -> list[Row]:
    """Rows and megabytes a second from spool to store, and bytes a span on disk."""
    requests = 20_000 if quick else 100_000
    rows = [row for pair in facts(requests) for row in pair]
    said = sum(len(str(value)) for _, row in rows for value in row.values())
    with tempfile.TemporaryDirectory(dir=root) as folder:
        workspace = Path(folder)
        spool = Spool(workspace / "spools" / "bench.db", Catalogue(workspace / "catalogue.db"))
        for first in range(0, len(rows), 512):
            spool.write(rows[first : first + 512])
        spool.close()
        compactor = Compactor(workspace)
        began, own = time.perf_counter(), time.process_time()
        while compactor.step(time.time()):
            pass
        wall_s, own_s = time.perf_counter() - began, time.process_time() - own
        compactor.close()
        sizes = {
            part: sum(path.stat().st_size for path in workspace.glob(f"{part}*") if path.is_file())
            for part in ("parquet/trace/", "parquet/exposure/", "rollups.db")
        }
    spans = requests * len(NODES)
    text = said / spans
    speeds = (
        ("compact-rows", "rows from spool to store and roll-ups: by the clock", len(rows) / wall_s),
        ("compact-rows-core", "the same of a core's time", len(rows) / own_s),
    )
    sizes["both"] = sizes["parquet/trace/"] + sizes["parquet/exposure/"]
    weights = (
        ("bytes-trace", "a span on disk, in its trace; peer: both as text", "parquet/trace/"),
        ("bytes-both", "a span on disk, in its trace and exposure; peer: as text", "both"),
        ("bytes-rollups", "a span's share of the roll-ups; peer: as text", "rollups.db"),
    )
    return [
        *(Row(id=name, what=what, value=value, unit="rows/s") for name, what, value in speeds),
        Row(id="compact-mb", what="the same by its text", value=said / 1e6 / wall_s, unit="MB/s"),
        *(
            compared(Row(id=name, what=what, value=sizes[part] / spans, unit="B"), text)
            for name, what, part in weights
        ),
    ]
