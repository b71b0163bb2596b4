"""The named moments of writing a fact at which a process may die."""

from collections.abc import Callable
from typing import Literal, get_args

Point = Literal[
    "before commit",
    "after commit",
    "rows read",
    "file half written",
    "file written",
    "file renamed",
    "rows listed",
    "rows deleted",
    "merge listed",
    "spool retired",
    "leaf kept",
]
POINTS: tuple[Point, ...] = get_args(Point)

Passing = Callable[[Point], None]
"""Called at every point; a crash test raises or exits there, everybody else does nothing."""


def unwatched(point: Point) -> None:
    """Let the writer go on."""
