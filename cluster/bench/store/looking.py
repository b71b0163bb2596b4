"""How long it takes to look back over ten million spans, here and in two databases."""

import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl

from cluster.bench.rows import Row, compared, judged
from cluster.bench.store.traffic import NODES, fill
from engine.books.inspection import problems_in_traces
from engine.books.rollups import Rollups
from engine.books.store import Store
from engine.evidence.observe import observe_rolled
from engine.evidence.tally import ASKED
from engine.evidence.timeline import spans_of

NOW = 1_800_000_000.0
WINDOW_S = 3_600.0
ROUNDS = 3
GOALS = {"rollups": "< 1", "raw": "< 3"}

_COLUMNS = ("workflow", "variant", "segment", "node", "at", "failed", "timed_out", "duration_s")
_QUERY = " UNION ALL ".join(
    f"SELECT workflow, '{scope}', {name}, \"at\" > {NOW - WINDOW_S}, count(*), sum(failed), "
    "sum(timed_out), avg(duration_s), avg(duration_s * duration_s) FROM calls "
    f"WHERE \"at\" > {NOW - 2 * WINDOW_S} AND node {sign} '' GROUP BY 1, 3, 4"
    for scope, name, sign in (
        ("workflow", "workflow", "="),
        ("variant", "variant", "="),
        ("segment", "segment", "="),
        ("node", "node", "<>"),
    )
)
"""What `observe` asks of the calls, without ratings, costs and examples."""


def measure(root: Path, *, quick: bool) -> list[Row]:
    """Seconds of `observe` from roll-ups and from traces, each against the same query elsewhere."""
    requests = 50_000 if quick else 2_000_000
    spans = requests * len(NODES)
    with tempfile.TemporaryDirectory(dir=root) as folder:
        workspace = Path(folder)
        # an hour's window and the hour before it, which `slower than before` needs
        fill(workspace, requests, now=NOW, length_s=2 * WINDOW_S)
        folded_s = _seconds(lambda: _folded(workspace), rounds=1)
        ours = {
            "rollups": _seconds(lambda: _from_rollups(workspace), ROUNDS),
            "raw": _seconds(lambda: _from_traces(workspace), ROUNDS),
        }
        peers = {"sqlite": _sqlite(workspace), "duckdb": _duckdb(workspace)}
    found = [
        Row(
            id="fold",
            what="spans rolled up, once and for all",
            value=spans / folded_s,
            unit="spans/s",
        )
    ]
    for way, seconds in ours.items():
        for peer, other in peers.items():
            what = f"observe over {spans:,} spans from {way}; peer: the same query in {peer}"
            row = Row(id=f"observe-{way}-{peer}", what=what, value=seconds, unit="s")
            goal = None if quick else GOALS[way]
            row = judged(row.model_copy(update={"goal": goal}))
            found.append(_unmeasured(row) if other is None else compared(row, other))
    return found


def _unmeasured(row: Row) -> Row:
    return row.model_copy(update={"what": f"{row.what}, which isn't installed"})


def _folded(root: Path) -> None:
    with closing(Store(root)) as store, closing(Rollups(root)) as rollups:
        while rollups.fold(store, upto=store.position()):
            pass


def _from_rollups(root: Path) -> None:
    with closing(Store(root)) as store, closing(Rollups(root)) as rollups:
        told = rollups.read(store, since=NOW - 2 * WINDOW_S, rated_since=NOW - WINDOW_S)
        observe_rolled(told, now=NOW, window_s=WINDOW_S)


def _from_traces(root: Path) -> None:
    problems_in_traces(root, now=NOW, window_s=WINDOW_S)


def _sqlite(root: Path) -> float | None:
    with closing(sqlite3.connect(root / "peer.db")) as peer:
        peer.execute("PRAGMA synchronous = OFF")
        peer.execute(
            'CREATE TABLE calls(workflow TEXT, variant TEXT, segment TEXT, node TEXT, "at" REAL, '
            "failed INTEGER, timed_out INTEGER, duration_s REAL)"
        )
        for calls in flat_calls(root):
            peer.executemany("INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?)", calls.iter_rows())
        peer.commit()
        return _seconds(lambda: peer.execute(_QUERY).fetchall(), 1)


def _duckdb(root: Path) -> float | None:
    try:
        import duckdb
    except ImportError:
        return None
    with closing(duckdb.connect(root / "peer.duckdb")) as peer:
        peer.execute(
            "CREATE TABLE calls(workflow VARCHAR, variant VARCHAR, segment VARCHAR, node VARCHAR, "
            '"at" DOUBLE, failed INTEGER, timed_out INTEGER, duration_s DOUBLE)'
        )
        for calls in flat_calls(root):
            peer.register("part", calls.to_arrow())
            peer.execute("INSERT INTO calls SELECT * FROM part")
            peer.unregister("part")
        return _seconds(lambda: peer.execute(_QUERY).fetchall(), ROUNDS)


def flat_calls(root: Path) -> Iterator[pl.DataFrame]:
    """Requests and spans as flat rows, file by file."""
    kept = ("workflow", "variant", "segment", "at")
    with closing(Store(root)) as store:
        done = 0
        for last in store.batches("trace", after=0, upto=store.position()):
            traces = store.read("trace", after=done, upto=last, columns=ASKED)
            done = last
            spans = spans_of(traces, *kept).cast({pl.Categorical: pl.String})
            whole = traces.select(*kept, "duration_s", "status", node=pl.lit(""))
            every = pl.concat([whole, spans.select(whole.columns)])
            yield every.with_columns(
                failed=(pl.col("status") != "ok").cast(pl.Int32),
                timed_out=(pl.col("status") == "timeout").cast(pl.Int32),
            ).select(_COLUMNS)


def _seconds(work: Callable[[], Any], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken)
