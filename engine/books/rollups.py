"""The roll-ups of a workspace's traces, kept beside the store and made from it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.books.points import Passing, unwatched
from engine.books.sqlite import Database
from engine.books.store import Store
from engine.errors import StoreCorruptError
from engine.evidence.rollup import ASKED, added, rolled
from engine.evidence.rollup_parts import Rolled, index_of

MOST = 100_000
"""Traces rolled up at once, so that a long past holds up no shipping; the next call goes on."""
SMALL = 50_000
"""A leaf with as many traces is joined with no others."""
LEAST_SMALL = 32
"""Fewer small leaves than this aren't worth joining."""
SHAPE = 2
"""Of a leaf's columns, as the file says it; leaves of another shape are made again."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What became of the traces of ``after < batch <= upto``."""

    after: int
    upto: int
    traces: int
    newest_at: float
    sums: pl.DataFrame
    index: pl.DataFrame


class Rollups:
    """rollups.db: written by the compactor, read by whoever looks for problems.

    Nothing here is a fact: what a crash, a deletion or a damaged file takes away is made again
    from the store. Hence a file of its own, for which no transaction of the catalogue waits. A
    leaf and how far it reaches are one row, so no trace is counted twice.
    """

    def __init__(self, root: Path, *, passing: Passing = unwatched) -> None:
        self._passing = passing
        path = root / "rollups.db"
        try:
            self._database = Database(path, _SCHEMA)
        except StoreCorruptError:
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
            self._database = Database(path, _SCHEMA)
        self._forget_other_shapes()

    def upto(self) -> int:
        """The last batch whose traces are rolled up."""
        with self._database.reading() as connection:
            (last,) = connection.execute("SELECT coalesce(max(upto), 0) FROM leaves").fetchone()
        return int(last)

    def leaves(self) -> list[tuple[int, int]]:
        """The batches that each leaf holds, above the first number and up to the second."""
        with self._database.reading() as connection:
            return connection.execute("SELECT after, upto FROM leaves ORDER BY upto").fetchall()

    def fold(self, store: Store, *, upto: int) -> int:
        """Roll up the oldest traces to this batch that no leaf has yet; return how many.

        What testers asked for by forcing a variant is left out. An exposure is committed before
        its trace, but may be shipped a step later: give the batch at which an earlier step ended.

        Raises:
            StoreCorruptError: A file of the store is damaged; what came before it is rolled up.
        """
        done = self.upto()
        batches = store.batches("trace", after=done, upto=upto)
        if not batches:
            return 0
        forced = self._remembered(store)
        count = 0
        for last in batches:
            traces = store.read("trace", after=done, upto=last, columns=ASKED)
            self._add(_leaf(traces, forced, (done, last)))
            self._passing("leaf kept")
            count += traces.height
            done = last
            if count >= MOST:
                break
        self._join()
        return count

    def read(self, store: Store, *, since: float, rated_since: float) -> Rolled:
        """Everything from one Unix time on, what is newer than any leaf too; ratings from another.

        Raises:
            StoreCorruptError: A file with the newest traces is damaged; the message names it.
        """
        with self._database.reading() as connection:
            (done,) = connection.execute("SELECT coalesce(max(upto), 0) FROM leaves").fetchone()
            sums = connection.execute(
                "SELECT sums FROM leaves WHERE newest_at >= ? ORDER BY upto", (since,)
            ).fetchall()
            indices = connection.execute(
                "SELECT parts FROM leaves WHERE newest_at >= ? ORDER BY upto", (rated_since,)
            ).fetchall()
        newest = _leaf(
            store.read("trace", after=done, columns=ASKED), self._forced(store)[0], (done, done)
        )
        feedback = store.read("feedback", since=rated_since, columns=_RATING)
        rated = feedback.select("trace_id").unique()
        return Rolled(
            sums=pl.concat([*(_frame_of(body) for (body,) in sums), newest.sums]),
            index=pl.concat(
                index.join(rated, on="trace_id", how="semi")
                for index in (*(_frame_of(body) for (body,) in indices), newest.index)
            ),
            feedback=feedback,
        )

    def _forget_other_shapes(self) -> None:
        # The file's schema has a version of its own; this one is of what its leaves hold.
        with self._database.reading() as connection:
            (shape,) = connection.execute("PRAGMA application_id").fetchone()
        if shape != SHAPE:
            self.clear()
            with self._database.writing() as connection:
                connection.execute(f"PRAGMA application_id = {SHAPE}")

    def clear(self) -> None:
        """Forget everything; it is made again from the store as it is now."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM leaves")
            connection.execute("DELETE FROM forced")

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _forced(self, store: Store) -> tuple[list[str], int]:
        """The ids of every forced request, and the batch up to which exposures were asked."""
        with self._database.reading() as connection:
            known = connection.execute("SELECT trace_id, batch FROM forced").fetchall()
        asked = max((batch for _, batch in known), default=0)
        newest = store.position()
        seen = store.read("exposure", after=asked, upto=newest, columns=("trace_id", "forced"))
        fresh = seen.filter("forced")["trace_id"].to_list()
        return [name for name, _ in known if name] + fresh, newest

    def _remembered(self, store: Store) -> list[str]:
        forced, newest = self._forced(store)
        with self._database.writing() as connection:
            # the empty name only says how far the exposures were asked
            connection.executemany(
                "INSERT INTO forced(trace_id, batch) VALUES (?, ?) "
                "ON CONFLICT DO UPDATE SET batch = excluded.batch",
                [(name, newest) for name in ("", *forced)],
            )
        return forced

    def _add(self, leaf: Leaf, *, replaces: Sequence[int] = ()) -> None:
        with self._database.writing() as connection:
            connection.executemany(
                "DELETE FROM leaves WHERE upto = ?", [(one,) for one in replaces]
            )
            connection.execute(
                f"INSERT INTO leaves({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    leaf.after,
                    leaf.upto,
                    leaf.traces,
                    leaf.newest_at,
                    _bytes_of(leaf.sums),
                    _bytes_of(leaf.index),
                ),
            )

    def _join(self) -> None:
        """Make one leaf of the newest small ones once there are many."""
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM leaves WHERE upto > coalesce("
                "(SELECT max(upto) FROM leaves WHERE traces >= ?), 0) ORDER BY upto",
                (SMALL,),
            ).fetchall()
        if len(rows) < LEAST_SMALL:
            return
        leaves = [_opened(row) for row in rows]
        joined = Leaf(
            after=leaves[0].after,
            upto=leaves[-1].upto,
            traces=sum(leaf.traces for leaf in leaves),
            newest_at=max(leaf.newest_at for leaf in leaves),
            sums=added([leaf.sums for leaf in leaves]),
            index=pl.concat([leaf.index for leaf in leaves]),
        )
        self._add(joined, replaces=[leaf.upto for leaf in leaves])


def _leaf(traces: pl.DataFrame, forced: Sequence[str], span: tuple[int, int]) -> Leaf:
    own = traces.filter(~pl.col("trace_id").is_in(forced)) if forced else traces
    newest_at = traces["at"].max()
    return Leaf(
        after=span[0],
        upto=span[1],
        traces=traces.height,
        newest_at=newest_at if isinstance(newest_at, float) else 0.0,
        sums=rolled(own),
        index=index_of(own),
    )


def _opened(row: tuple[int, int, int, float, bytes, bytes]) -> Leaf:
    after, upto, traces, newest_at, sums, index = row
    return Leaf(after, upto, traces, newest_at, _frame_of(sums), _frame_of(index))


def _frame_of(body: bytes) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(body))


def _bytes_of(frame: pl.DataFrame) -> bytes:
    body = io.BytesIO()
    frame.write_parquet(body, compression="zstd")
    return body.getvalue()


_RATING = ("trace_id", "at", "metric", "score")
_COLUMNS = "after, upto, traces, newest_at, sums, parts"
_SCHEMA = (
    """
    CREATE TABLE leaves(
      upto INTEGER PRIMARY KEY, after INTEGER NOT NULL, traces INTEGER NOT NULL,
      newest_at REAL NOT NULL, sums BLOB NOT NULL, parts BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX leaves_newest ON leaves(newest_at)",
    "CREATE TABLE forced(trace_id TEXT PRIMARY KEY, batch INTEGER NOT NULL) STRICT, WITHOUT ROWID",
)
