"""Which step of a request ran inside which, told by when they ran."""

from collections.abc import Mapping, Sequence
from typing import Any

BLUR_S = 2e-6
"""Times are kept in microseconds, each end rounded by itself."""
LEAVES = frozenset({"llm", "cache", "context"})
"""Kinds of steps within which nothing else runs; a tool begun early only runs beside a model."""


def parents_of(spans: Sequence[Mapping[str, Any]]) -> list[int | None]:
    """For each span the number of the one around it, in the order in which they began.

    It is the last one that began before it and ended no earlier, unless that one is of a kind that
    holds no other. Of two other steps side by side, one that lies within the other's time is taken
    for a part of it: times can't tell more.
    """
    return [
        next((other for other in range(number - 1, -1, -1) if _holds(spans[other], span)), None)
        for number, span in enumerate(spans)
    ]


def _holds(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> bool:
    if outer.get("kind") in LEAVES or outer["duration_s"] <= inner["duration_s"]:
        return False
    begun, ended = inner["start_s"], inner["start_s"] + inner["duration_s"]
    from_, upto = outer["start_s"], outer["start_s"] + outer["duration_s"]
    # What begins at the very end came after it.
    return bool(from_ <= begun + BLUR_S < upto and ended - BLUR_S <= upto)
