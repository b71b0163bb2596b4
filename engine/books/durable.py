"""Files that are whole or absent, also after a loss of power."""

import os
import secrets
from pathlib import Path

from engine.books.points import Passing, unwatched
from engine.errors import StoreFullError

TMP_PREFIX = "tmp-"
"""Files under this name are unfinished: never read, swept by the compactor."""


def write_whole(path: Path, data: bytes, passing: Passing = unwatched) -> None:
    """Put these bytes at this path, so that a reader finds the old file or the new one.

    On return the file and its name have both reached the disk.

    Raises:
        StoreFullError: The file could not be written; the old one still stands.
    """
    try:
        make_folder(path.parent)
        tmp = path.parent / f"{TMP_PREFIX}{secrets.token_hex(8)}"
        try:
            _write(tmp, data, passing)
            passing("file written")
            tmp.replace(path)
        except OSError:
            tmp.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise StoreFullError(
            f"{path}: not written ({error}); free some space, then retry"
        ) from error


def make_folder(folder: Path) -> None:
    """Create a folder and its missing parents, each name on disk before the next."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write(tmp: Path, data: bytes, passing: Passing) -> None:
    with tmp.open("xb") as file:
        file.write(data[: len(data) // 2])
        file.flush()
        passing("file half written")
        file.write(data[len(data) // 2 :])
        file.flush()
        os.fsync(file.fileno())
