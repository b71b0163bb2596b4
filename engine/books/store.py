"""The book of facts, as its readers see it."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa

from engine.books.catalogue import Catalogue, FileRow
from engine.books.parquet import blank, load
from engine.errors import StoreCorruptError
from engine.evidence.records import SCHEMAS, Kind

NEWEST = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the store that its readers can't use."""

    path: str
    """Relative to the workspace."""
    why: str


class Store:
    """Facts by the catalogue, never by a listing of files.

    The rows of ``after < batch <= upto`` are the same for ever, whatever is written or merged
    later. They come in the order of (batch, row).
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._catalogue = Catalogue(root / "catalogue.db")

    def position(self) -> int:
        """The newest catalogue id, 0 when empty."""
        return self._catalogue.position()

    def settled_at(self) -> float:
        """The Unix time before which every fact is in the store; ask before `position`."""
        return self._catalogue.settled_at()

    def read(
        self,
        kind: Kind,
        *,
        after: int = 0,
        upto: int | None = None,
        since: float | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Read rows from one snapshot of the catalogue, with their `batch`.

        With `since`, files that were listed before this Unix time are left out; what they hold is
        older, but not everything that is left is younger. A trace's `timeline` comes where
        `columns` names it, or fields of it such as `timeline.node`.

        Raises:
            StoreCorruptError: A file is missing, torn or altered; the message names it.
        """
        while True:
            files = self._catalogue.live(kind, after=after, upto=upto, since=since)
            tables = []
            for file in files:
                try:
                    tables.append(self._load(file, after, upto, columns))
                except StoreCorruptError:
                    if self._catalogue.is_live(file.id):
                        raise
                    # merged away and swept while we read: the new snapshot has its rows
                    break
            else:
                return _frame(kind, tables, columns)

    def batches(
        self, kind: Kind, *, after: int, upto: int, since: float | None = None
    ) -> list[int]:
        """Batches at which a reader may stop between ``after`` and ``upto``, one file at a time.

        With `since`, only those of files listed at or after this Unix time.
        """
        files = self._catalogue.live(kind, after=after, upto=upto, since=since)
        return [file.last_batch for file in files if file.last_batch <= upto]

    def check(self) -> list[Problem]:
        """Read everything, and name what can't be read; moves and changes nothing."""
        problems = [
            Problem(path, f"set aside as damaged, it lies at {moved}")
            for path, moved in self._catalogue.quarantined().items()
        ]
        problems += self.damaged()
        problems += [
            Problem(f"spools/{path.name.removeprefix('spools-')}", f"set aside, it lies at {path}")
            for path in sorted((self.root / "quarantine").glob("spools-*.db"))
        ]
        for spool in self._catalogue.spools():
            why = spool_problem(self.root / spool.path)
            if why is not None:
                problems.append(Problem(spool.path, why))
        return problems

    def damaged(self) -> list[Problem]:
        """The files of the store that can't be read, and why."""
        problems = []
        for kind in SCHEMAS:
            for file in self._catalogue.live(kind):
                try:
                    self._load(file, 0, None, None)
                except StoreCorruptError as error:
                    problems.append(Problem(file.path, str(error)))
        return problems

    def close(self) -> None:
        """Close the catalogue."""
        self._catalogue.close()

    def _load(
        self, file: FileRow, after: int, upto: int | None, columns: Sequence[str] | None
    ) -> pa.Table:
        last = NEWEST if upto is None else upto
        return load(self.root, file, after=after, upto=last, columns=columns)


def _frame(kind: Kind, tables: list[pa.Table], columns: Sequence[str] | None) -> pl.DataFrame:
    frame = pl.from_arrow(pa.concat_tables(tables or [blank(kind, columns)]))
    assert isinstance(frame, pl.DataFrame)
    return frame


def spool_problem(path: Path) -> str | None:
    """Why a spool can't be read; None where it can."""
    if not path.exists():
        return "missing; what it had acknowledged and not yet shipped is lost"
    connection = sqlite3.connect(path)
    try:
        (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.Error as error:
        return f"damaged ({error})"
    finally:
        connection.close()
    return None if answer == "ok" else f"damaged ({answer})"
