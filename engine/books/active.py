"""The settings that a workflow serves now, as a file that people and tools can read."""

import re
from pathlib import Path

from engine.books.durable import write_whole
from engine.errors import ConfigError

_PREVIOUS = ".previous"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def write_active(root: Path, workflow: str, text: str) -> Path:
    """Put a workflow's settings into force on disk, and keep the ones before them beside.

    Writing the same text again changes nothing, so a repeated promotion keeps the previous one.

    Raises:
        ConfigError: The workflow's name can't be a file's name.
        StoreFullError: The disk is full; the old file still stands.
    """
    path = _path(root, workflow)
    now = read_active(root, workflow)
    if now == text:
        return path
    if now is not None:
        write_whole(_path(root, workflow, _PREVIOUS), now.encode())
    write_whole(path, text.encode())
    return path


def read_active(root: Path, workflow: str, *, previous: bool = False) -> str | None:
    """The settings in force, or those before them; None when there never were any."""
    path = _path(root, workflow, _PREVIOUS if previous else "")
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None


def _path(root: Path, workflow: str, suffix: str = "") -> Path:
    if not _NAME.fullmatch(workflow) or workflow.endswith(_PREVIOUS):
        raise ConfigError(
            f"workflow name {workflow!r} can't name a file; use letters, digits, '.', '_' and '-', "
            f"at most 100, not ending in {_PREVIOUS!r}"
        )
    return root / "active" / f"{workflow}{suffix}.yaml"
