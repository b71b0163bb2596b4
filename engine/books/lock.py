"""A lock that lives exactly as long as the process that took it."""

import fcntl
import os
from pathlib import Path

from engine.errors import StoreFullError


class Lock:
    """One file, one holder; the kernel lets go when the holder dies, however it dies.

    It tells a dead writer from a living one where a process id could not: ids are used again.
    """

    def __init__(self, path: Path, handle: int) -> None:
        self.path = path
        self._handle: int | None = handle

    def release(self) -> None:
        """Let go, once or often."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def take(path: Path) -> Lock | None:
    """Take the lock, or return None when a living process holds it.

    Raises:
        StoreFullError: The file can't be made: no space, no permission, or a read-only disk.
    """
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StoreFullError(f"{path}: not locked ({error}); free the disk, retry") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        if _still_named(path, handle):
            return Lock(path, handle)
        os.close(handle)


def _still_named(path: Path, handle: int) -> bool:
    # its last holder may have removed the file between our open and our lock
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(handle))
