"""Carries facts from the spools into the store, each exactly once."""

import time
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from engine.books import lock
from engine.books.catalogue import Catalogue, FileRow, SpoolRow
from engine.books.durable import TMP_PREFIX, make_folder, write_whole
from engine.books.feedback import FeedbackBook
from engine.books.parquet import digest_of, encode, table_of_rows
from engine.books.points import Passing, unwatched
from engine.books.quarantine import aside, set_spool_aside
from engine.books.rollups import Rollups
from engine.books.spool import KINDS, lock_path
from engine.books.sqlite import Database
from engine.books.store import Store, spool_problem
from engine.errors import BookError, StoreCorruptError
from engine.evidence.records import SCHEMAS, Kind

ROWS_PER_FILE = 20_000
"""Rows shipped at once from one writer; what is left waits for the next step."""
ROWS_PER_DELETE = 5_000
"""Rows deleted in one transaction: the writer waits no longer than for these."""
GROUP_COMMIT_S = 0.5
"""A fact is on disk at most this long after its own time stamp."""
ORPHAN_S = 3600.0
"""Age after which a file that no row names is rubbish."""
GRACE_S = 600.0
"""How long a replaced file stays for readers that began before it was replaced."""


@dataclass(frozen=True, slots=True)
class Source:
    """A database with rows to ship, and the name under which their numbers count."""

    writer: str
    path: Path
    kinds: tuple[Kind, ...]


class Compactor:
    """The only one in a workspace that adds files to the store.

    Dying at any moment is harmless: a range of numbers is in the store if, and only if, its
    catalogue row is; everything before that row can be done again, everything after it will be.

    Raises:
        BookError: Another compactor lives in this workspace.
    """

    def __init__(
        self,
        root: Path,
        *,
        rows_per_file: int = ROWS_PER_FILE,
        passing: Passing = unwatched,
    ) -> None:
        self.root = root
        self._rows_per_file = rows_per_file
        self._passing = passing
        make_folder(root)
        held = lock.take(root / "compactor.lock")
        if held is None:
            raise BookError(f"{root}: another compactor lives here; one per workspace")
        self._lock = held
        try:
            self.catalogue = Catalogue(root / "catalogue.db")
            self._store = Store(root)
            self._rollups = Rollups(root, passing=passing)
            # nobody else writes files here, so at the start every unlisted one is an orphan
            self._sweep(time.time(), orphan_s=0.0, grace_s=GRACE_S)
        except BaseException:
            self._lock.release()
            raise

    def step(self, at: float) -> int:
        """Ship what is new, at most one file per writer and kind; return the rows shipped.

        Raises:
            StoreCorruptError: Some spools can't be read; all the others were shipped, and those
                of dead writers are out of the next step's way. Or a file of the store is damaged;
                everything was shipped, and roll-ups wait for its quarantine.
            StoreFullError: The disk is full; what isn't shipped waits in its spool.
        """
        count = 0
        began = self.catalogue.position()
        damaged = []
        ships = [partial(self._ship_spool, spool, at) for spool in self.catalogue.spools()]
        for ship in (*ships, partial(self._ship_feedback, at)):
            try:
                count += ship()
            except StoreCorruptError as error:
                damaged.append(str(error))
        if damaged:
            raise StoreCorruptError("; ".join(damaged))
        self.catalogue.settle(at - GROUP_COMMIT_S)
        self._rollups.fold(self._store, upto=began)
        return count

    def place(self, file: FileRow, data: bytes, *, replaces: tuple[int, ...] = ()) -> None:
        """Write a file, then make it visible."""
        write_whole(self.root / file.path, data, self._passing)
        self._passing("file renamed")
        self.catalogue.add(file, replaces=replaces)
        self._passing("merge listed" if replaces else "rows listed")

    def sweep(self, at: float, *, grace_s: float = GRACE_S) -> int:
        """Delete old orphans and files replaced more than ``grace_s`` ago; return how many."""
        return self._sweep(at, orphan_s=ORPHAN_S, grace_s=grace_s)

    def backlog(self) -> int:
        """Rows in the spools that are not in the store yet; a spool that can't be read has none."""
        count = 0
        for spool in self.catalogue.spools():
            path = self.root / spool.path
            with (
                suppress(StoreCorruptError),
                closing(Database(path, ())) as database,
                database.reading() as connection,
            ):
                for kind in KINDS:
                    (rows,) = connection.execute(f"SELECT count(*) FROM {kind}").fetchone()
                    count += rows
        return count

    def close(self) -> None:
        """Let another compactor take over."""
        self._rollups.close()
        self._store.close()
        self.catalogue.close()
        self._lock.release()

    def _ship_feedback(self, at: float) -> int:
        path = self.root / "feedback.db"
        if not path.exists():
            return 0
        with closing(FeedbackBook(path)) as book:
            return self._ship_all(Source(book.identity, path, ("feedback",)), at)

    def _ship_spool(self, spool: SpoolRow, at: float) -> int:
        source = Source(spool.writer, self.root / spool.path, KINDS)
        is_there = source.path.exists()
        if not is_there and aside(self.root, Path("spools", source.path.name)).exists():
            # set aside, and died before this was written down
            self.catalogue.retire(source.writer, at)
            return 0
        # taken before reading: a writer that is dead now adds nothing afterwards
        dead = lock.take(lock_path(source.path)) if is_there else None
        try:
            count = self._ship_all(source, at)
            if dead is not None and not self._left(source):
                self.catalogue.retire(source.writer, at)
                self._passing("spool retired")
                remove_spool(source.path)
        except StoreCorruptError as error:
            if dead is None or spool_problem(source.path) is None:
                raise
            moved = set_spool_aside(self.root, source.path)
            self.catalogue.retire(source.writer, at)
            raise StoreCorruptError(
                f"{error}; its writer is dead: it lies at {moved} now, and all else goes on "
                "without the facts that only it held"
            ) from error
        finally:
            if dead is not None:
                dead.release()
        return count

    def _ship_all(self, source: Source, at: float) -> int:
        with closing(Database(source.path, ())) as database:
            return sum(self._ship(source, kind, database, at) for kind in source.kinds)

    def _ship(self, source: Source, kind: Kind, database: Database, at: float) -> int:
        done = self.catalogue.shipped(kind, source.writer)
        _forget(database, kind, done)
        with database.reading() as connection:
            cursor = connection.execute(
                f"SELECT * FROM {kind} WHERE number > ? ORDER BY number LIMIT ?",
                (done, self._rows_per_file),
            )
            rows = cursor.fetchall()
        if not rows:
            return 0
        self._passing("rows read")
        self._list(source, kind, table_of_rows(kind, cursor, rows), (rows[0][0], rows[-1][0], at))
        _forget(database, kind, rows[-1][0])
        self._passing("rows deleted")
        return len(rows)

    def _list(
        self, source: Source, kind: Kind, table: pa.Table, span: tuple[int, int, float]
    ) -> None:
        data = encode(table)
        file_id = self.catalogue.next_id()
        first, last, at = span
        row = FileRow(
            id=file_id,
            kind=kind,
            writer=source.writer,
            first_rowid=first,
            last_rowid=last,
            first_batch=file_id,
            last_batch=file_id,
            path=path_of(kind, file_id),
            rows=table.num_rows,
            digest=digest_of(data),
            at=at,
        )
        self.place(row, data)

    def _left(self, source: Source) -> bool:
        with closing(Database(source.path, ())) as database, database.reading() as connection:
            return any(
                connection.execute(f"SELECT 1 FROM {kind} LIMIT 1").fetchone()
                for kind in source.kinds
            )

    def _sweep(self, at: float, *, orphan_s: float, grace_s: float) -> int:
        for spool in self.catalogue.retired():
            remove_spool(self.root / spool)
        listed, replaced = self.catalogue.listed(), self.catalogue.replaced()
        gone = []
        for kind in SCHEMAS:
            for path in (self.root / "parquet" / kind).glob("*"):
                name = str(path.relative_to(self.root))
                if path.name.startswith(TMP_PREFIX) or name not in listed:
                    old = at - path.stat().st_mtime >= orphan_s
                else:
                    old = name in replaced and at - replaced[name] > grace_s
                if old:
                    gone.append(path)
        for path in gone:
            path.unlink()
        return len(gone)


def path_of(kind: Kind, file_id: int) -> str:
    """Where a file lies, relative to the workspace."""
    return f"parquet/{kind}/{file_id}.parquet"


def remove_spool(path: Path) -> None:
    """Delete a retired spool's files, those that are left."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    # last, and while it is held: whoever waited for it finds its name gone
    lock_path(path).unlink(missing_ok=True)


def _forget(database: Database, kind: Kind, last: int) -> None:
    """Delete shipped rows from a spool."""
    while True:
        with database.reading() as connection:
            (first,) = connection.execute(f"SELECT min(number) FROM {kind}").fetchone()
        if first is None or first > last:
            return
        with database.writing() as connection:
            connection.execute(
                f"DELETE FROM {kind} WHERE number <= ?",
                (min(last, first + ROWS_PER_DELETE - 1),),
            )
