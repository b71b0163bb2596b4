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

    A damaged spool stays where it is: its writer may live, and only a restored copy can help.
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
        target = root / "quarantine" / "-".join(source.relative_to(root / "parquet").parts)
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
