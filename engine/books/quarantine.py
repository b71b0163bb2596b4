"""Damaged files out of the readers' way, none of them ever deleted."""

from contextlib import closing
from pathlib import Path

from engine.books.catalogue import Catalogue
from engine.books.durable import make_folder, sync_folder
from engine.books.rollups import Rollups
from engine.books.store import Problem, Store
from engine.errors import NotFoundError


def quarantine_damaged(root: Path) -> list[Problem]:
    """Move every file of the store that can't be read aside, and say why, one by one.

    A damaged spool stays where it is while its writer lives; the compactor moves it once that died.
    """
    with closing(Store(root)) as store:
        damaged = store.damaged()
    for problem in damaged:
        quarantine(root, problem.path)
    return damaged


def quarantine(root: Path, path: str) -> Path:
    """Move a damaged file of the store aside, and return where it lies; the rest stays readable.

    Its rows are missing from every later read, so decisions based on them no longer recompute.

    Raises:
        NotFoundError: The catalogue has no such file.
    """
    catalogue = Catalogue(root / "catalogue.db")
    try:
        if path not in catalogue.listed():
            raise NotFoundError(f"{path}: not a file of this store; `Store.check` names them")
        source = root / path
        target = aside(root, source.relative_to(root / "parquet"))
        make_folder(target.parent)
        if source.exists():
            source.replace(target)
            sync_folder(target.parent)
            sync_folder(source.parent)
        catalogue.set_aside(path, str(target.relative_to(root)))
        with closing(Rollups(root)) as rollups:
            rollups.clear()
    finally:
        catalogue.close()
    return target


def set_spool_aside(root: Path, spool: Path) -> Path:
    """Move a dead writer's damaged spool out of the compactor's way; return where it lies.

    Its journal goes with it: `sqlite3 FILE .recover` finds there what was not torn.
    """
    target = aside(root, Path("spools", spool.name))
    make_folder(target.parent)
    # the file last: as long as it is in its place, the rest of this is done again
    for suffix in ("-wal", "-shm", ""):
        part = spool.with_name(spool.name + suffix)
        if part.exists():
            part.replace(target.with_name(target.name + suffix))
    sync_folder(target.parent)
    sync_folder(spool.parent)
    return target


def aside(root: Path, place: Path) -> Path:
    """Where a damaged file lies that lay at this place."""
    return root / "quarantine" / "-".join(place.parts)
