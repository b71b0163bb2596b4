"""Copies of a workspace's books, taken while it works and put back after a disaster."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from engine.books import lock
from engine.books.catalogue import Catalogue
from engine.books.durable import TMP_PREFIX, make_folder, sync_folder, write_whole
from engine.books.sqlite import Database
from engine.books.store import Store
from engine.errors import BookError, NotFoundError, StoreCorruptError
from engine.evidence.records import SCHEMAS

DERIVED = frozenset({"rollups.db"})
"""Books that are made again from the others, and never copied."""
OPEN = 0o755
PLAIN = ("secret", "active")
"""What else belongs to a workspace: its secret, and the settings in force."""


def backups_of(root: Path) -> Path:
    """Where a workspace's backups lie: beside it, so that no restore carries them away."""
    return root.parent / f"{root.name}-backups"


def backup(root: Path, at: float) -> Path:
    """Copy everything that can't be made again; return where the copy lies.

    Writers go on. Only the catalogue is held while the databases are copied, so that no row is
    shipped between the copy of its spool and the copy of the list: it is in one of them, once.

    Raises:
        StoreCorruptError: A book or a file is damaged; what a backup held before still stands.
        NotFoundError: There is no workspace here.
    """
    root = root.resolve()
    if not (root / "catalogue.db").exists():
        raise NotFoundError(f"{root}: no workspace to copy; `trimtab up` makes one")
    folder = backups_of(root)
    make_folder(folder)
    staged = Path(tempfile.mkdtemp(prefix=TMP_PREFIX, dir=folder))
    try:
        with closing(Database(root / "catalogue.db", ())) as held, held.writing() as connection:
            for book in [*_own_books(root), *_registered(root, connection)]:
                _copy_book(book, staged / book.relative_to(root))
        _copy_files(root, staged)
        _check(staged, _books(staged))
        target = folder / datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        staged.chmod(OPEN)
        staged.rename(target)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    sync_folder(folder)
    return target


def restore(source: Path, root: Path) -> Path | None:
    """Put a backup in the workspace's place; return where the old workspace lies, if there was one.

    The old one is only moved aside, and the copy is checked first, so nothing is lost by trying.

    Raises:
        BookError: The workspace is in use.
        StoreCorruptError: The backup is damaged itself; nothing was changed.
        NotFoundError: There is no backup here.
    """
    root = root.resolve()
    if not (source / "catalogue.db").exists():
        raise NotFoundError(f"{source}: no backup; they lie under {backups_of(root)}")
    _refuse_while_used(root)
    make_folder(root.parent)
    staged = Path(tempfile.mkdtemp(prefix=f"{TMP_PREFIX}{root.name}-", dir=root.parent))
    try:
        shutil.copytree(source, staged, dirs_exist_ok=True)
        _check_copy(staged)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    aside = None
    if root.exists():
        aside = Path(tempfile.mkdtemp(prefix=f"{root.name}-before-restore-", dir=root.parent))
        root.rename(aside)
    staged.chmod(OPEN)
    staged.rename(root)
    sync_folder(root.parent)
    return aside


def check_books(root: Path) -> None:
    """Read every page of a workspace's own databases; its writers' spools stand for themselves.

    Raises:
        StoreCorruptError: One is damaged; the message says how to restore it.
    """
    _check(root, _own_books(root))


def torn_spools(root: Path) -> list[Path]:
    """Spools that can't be read: their writers died in the middle of a write, or their disk did."""
    return [spool for spool in _spools(root) if _damage(spool) is not None]


def _check(root: Path, books: Iterable[Path]) -> None:
    for book in books:
        why = _damage(book)
        if why is not None:
            raise StoreCorruptError(f"{book}: damaged ({why}); {_cure(root)}")


def _check_copy(staged: Path) -> None:
    _check(staged, _books(staged))
    with closing(Store(staged)) as store:
        damaged = store.damaged()
    if damaged:
        raise StoreCorruptError(f"the backup is damaged: {damaged[0].why}; take another backup")


def _books(root: Path) -> list[Path]:
    return [*_own_books(root), *_spools(root)]


def _registered(root: Path, connection: sqlite3.Connection) -> list[Path]:
    """The spools that may hold what was acknowledged; another one's writer died as it made it."""
    rows = connection.execute("SELECT path FROM spools WHERE retired IS NULL").fetchall()
    return [root / path for (path,) in rows if not Path(path).is_absolute()]


def _own_books(root: Path) -> list[Path]:
    return [path for path in sorted(root.glob("*.db")) if path.name not in DERIVED]


def _spools(root: Path) -> list[Path]:
    return sorted((root / "spools").glob("*.db"))


def _copy_book(book: Path, target: Path) -> None:
    make_folder(target.parent)
    try:
        with closing(sqlite3.connect(book)) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
    except sqlite3.DatabaseError as error:
        raise StoreCorruptError(f"{book}: damaged ({error}); {_cure(book.parent)}") from error


def _copy_files(root: Path, target: Path) -> None:
    with closing(Catalogue(target / "catalogue.db")) as catalogue:
        listed = [file.path for kind in SCHEMAS for file in catalogue.live(kind)]
    plain = [path for name in PLAIN for path in [root / name, *sorted((root / name).rglob("*"))]]
    for path in [*(root / name for name in listed), *plain]:
        if path.is_dir() or (path in plain and not path.exists()):
            continue
        copy = target / path.relative_to(root)
        write_whole(copy, path.read_bytes())
        copy.chmod(path.stat().st_mode)


def _damage(book: Path) -> str | None:
    with closing(sqlite3.connect(book)) as connection:
        try:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            return str(error)
    return None if answer == "ok" else str(answer)


def _cure(root: Path) -> str:
    newest = max(backups_of(root).glob("[0-9]*"), default=None)
    if newest is None:
        return "there is no backup of it; `trimtab backup` makes one while all is well"
    return f"`trimtab restore {newest} --workspace {root}` puts the newest backup in its place"


def _refuse_while_used(root: Path) -> None:
    held = [root / "compactor.lock", *(root / "spools").glob("*.lock")]
    for path in held:
        if not path.exists():
            continue
        taken = lock.take(path)
        if taken is None:
            raise BookError(f"{root}: in use ({path.name} is held); stop it, then restore")
        taken.release()
