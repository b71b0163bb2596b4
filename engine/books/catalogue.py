"""The list of what the store holds: a file is in the store when its row is here."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from engine.books.sqlite import Database
from engine.errors import BookError
from engine.evidence.records import Kind


@dataclass(frozen=True, slots=True)
class SpoolRow:
    """A writer's spool that still may hold rows."""

    writer: str
    path: str
    """Relative to the workspace, or absolute when outside it."""
    pid: int
    started: float


@dataclass(frozen=True, slots=True)
class FileRow:
    """One Parquet file of the store."""

    id: int
    kind: Kind
    writer: str | None
    """Whose rows these are; None for a merged file."""
    first_rowid: int | None
    last_rowid: int | None
    first_batch: int
    last_batch: int
    """The catalogue ids that first made these rows visible; `id` itself unless merged."""
    path: str
    """Relative to the workspace."""
    rows: int
    digest: str
    """SHA-256 of the file's bytes, in hex."""
    at: float


class Catalogue:
    """catalogue.db: written by the compactor, and by each writer once; read by everybody.

    One row says both that a file is visible and that its range of numbers is shipped, so
    there is no moment between the two.
    """

    def __init__(self, path: Path) -> None:
        self.root = path.parent
        self._database = Database(path, _SCHEMA)

    def register(self, spool: Path, pid: int, started: float, *, fresh: bool) -> None:
        """Make a spool known, before its first acknowledgement.

        Raises:
            BookError: ``fresh`` (a new, empty file) under a name that was used before, or a
                name whose spool was retired.
        """
        place, root = spool.resolve(), self.root.resolve()
        path = str(place.relative_to(root) if place.is_relative_to(root) else place)
        with self._database.writing() as connection:
            known = connection.execute(
                "SELECT path, retired FROM spools WHERE writer = ?", (spool.stem,)
            ).fetchone()
            if known is not None and (fresh or known != (path, None)):
                raise BookError(f"{spool}: the writer's name was used before; take a new one")
            connection.execute(
                "INSERT INTO spools(writer, path, pid, started) VALUES (?, ?, ?, ?) "
                "ON CONFLICT DO UPDATE SET pid = excluded.pid, started = excluded.started",
                (spool.stem, path, pid, started),
            )

    def spools(self) -> list[SpoolRow]:
        """The spools that may hold rows, in the order of their names."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT writer, path, pid, started FROM spools WHERE retired IS NULL "
                "ORDER BY writer"
            ).fetchall()
        return [SpoolRow(*row) for row in rows]

    def retired(self) -> list[str]:
        """The paths of spools whose every row is shipped and whose writer is dead."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT path FROM spools WHERE retired IS NOT NULL")
            return [path for (path,) in rows]

    def retire(self, writer: str, at: float) -> None:
        """Say that a spool is finished; its name stays used."""
        with self._database.writing() as connection:
            connection.execute("UPDATE spools SET retired = ? WHERE writer = ?", (at, writer))

    def shipped(self, kind: Kind, writer: str) -> int:
        """The last number of this writer that is in the store, 0 when there is none."""
        with self._database.reading() as connection:
            (last,) = connection.execute(
                "SELECT coalesce(max(last_rowid), 0) FROM files WHERE kind = ? AND writer = ? "
                "AND first_rowid = (SELECT max(first_rowid) FROM files WHERE kind = ? "
                "AND writer = ?)",
                (kind, writer, kind, writer),
            ).fetchone()
        return int(last)

    def next_id(self) -> int:
        """The id of the file that will be listed next; only the compactor may ask."""
        with self._database.reading() as connection:
            (last,) = connection.execute(
                "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'files'"
            ).fetchone()
        return int(last) + 1

    def add(self, file: FileRow, *, replaces: Sequence[int] = ()) -> None:
        """Make a file visible, in the place of those that it replaces."""
        with self._database.writing() as connection:
            connection.execute(
                f"INSERT INTO files({_COLUMNS}) VALUES ({_PLACES})",
                astuple(file),
            )
            connection.executemany(
                "UPDATE files SET replaced_by = ? WHERE id = ?",
                [(file.id, old) for old in replaces],
            )

    def position(self) -> int:
        """The newest id that made rows visible, 0 when the store is empty."""
        with self._database.reading() as connection:
            (last,) = connection.execute(
                "SELECT coalesce(max(last_batch), 0) FROM files"
            ).fetchone()
        return int(last)

    def live(
        self, kind: Kind, *, after: int = 0, upto: int | None = None, since: float | None = None
    ) -> list[FileRow]:
        """The files with rows of ``after < batch <= upto``, in the order of their batches.

        With `since`, only those listed at or after this Unix time.
        """
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM files WHERE kind = ? AND {_LIVE} "
                "AND last_batch > ? AND (? IS NULL OR first_batch <= ?) "
                "AND (? IS NULL OR at >= ?) ORDER BY first_batch",
                (kind, after, upto, upto, since, since),
            ).fetchall()
        return [FileRow(*row) for row in rows]

    def is_live(self, file_id: int) -> bool:
        """Whether a reader should still find this file."""
        with self._database.reading() as connection:
            row = connection.execute(
                f"SELECT 1 FROM files WHERE id = ? AND {_LIVE}",
                (file_id,),
            ).fetchone()
        return row is not None

    def replaced(self) -> dict[str, float]:
        """The paths of replaced files and since when nobody new reads them."""
        return dict(
            self._pairs(
                "SELECT old.path, new.at FROM files AS old JOIN files AS new "
                "ON old.replaced_by = new.id"
            )
        )

    def listed(self) -> set[str]:
        """Every path that any row names."""
        return {path for path, _ in self._pairs("SELECT path, id FROM files")}

    def set_aside(self, path: str, moved_to: str) -> None:
        """Stop reading a damaged file, and remember where it lies."""
        with self._database.writing() as connection:
            connection.execute("UPDATE files SET quarantined = ? WHERE path = ?", (moved_to, path))

    def quarantined(self) -> dict[str, str]:
        """The paths of damaged files, and where each lies now."""
        return dict(
            self._pairs("SELECT path, quarantined FROM files WHERE quarantined IS NOT NULL")
        )

    def settle(self, at: float) -> None:
        """Remember that every fact from before this Unix time is in the store."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO settled(id, at) VALUES (1, ?) "
                "ON CONFLICT DO UPDATE SET at = max(at, excluded.at)",
                (at,),
            )

    def settled_at(self) -> float:
        """The Unix time before which every fact is in the store; 0 before the first step."""
        with self._database.reading() as connection:
            (at,) = connection.execute("SELECT coalesce(max(at), 0) FROM settled").fetchone()
        return float(at)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _pairs(self, query: str) -> list[tuple[str, Any]]:
        with self._database.reading() as connection:
            return connection.execute(query).fetchall()


_COLUMNS = ", ".join(field.name for field in fields(FileRow))
_PLACES = ", ".join("?" for _ in fields(FileRow))
_LIVE = "replaced_by IS NULL AND quarantined IS NULL"
_SCHEMA = (
    "CREATE TABLE settled(id INTEGER PRIMARY KEY CHECK (id = 1), at REAL NOT NULL) STRICT",
    """
    CREATE TABLE spools(
      writer TEXT PRIMARY KEY, path TEXT NOT NULL, pid INTEGER NOT NULL, started REAL NOT NULL,
      retired REAL
    ) STRICT
    """,
    """
    CREATE TABLE files(
      id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, writer TEXT,
      first_rowid INTEGER, last_rowid INTEGER,
      first_batch INTEGER NOT NULL, last_batch INTEGER NOT NULL,
      path TEXT NOT NULL UNIQUE, rows INTEGER NOT NULL, digest TEXT NOT NULL, at REAL NOT NULL,
      replaced_by INTEGER, quarantined TEXT, UNIQUE(kind, writer, first_rowid)
    ) STRICT
    """,
    "CREATE INDEX files_live ON files(kind, last_batch) WHERE " + _LIVE,
    "CREATE INDEX files_position ON files(last_batch)",
)
