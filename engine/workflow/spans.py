"""What each node of a request took."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from engine.errors import DeadlineError

Span = dict[str, Any]
"""node, start_s (from the request's start), duration_s, status (ok, error, timeout), error, ..."""


class Timeline:
    """Writes the spans of one request, also when it fails, into the caller's list.

    `ended` hears of each span at its end, and never waits.
    """

    def __init__(self, spans: list[Span], ended: Callable[[Span], None] | None = None) -> None:
        self._spans = spans
        self._ended = ended
        self._began = time.monotonic()

    @contextmanager
    def span(self, node: str) -> Iterator[Span]:
        """Time a node; what the node puts into the span, such as tokens, stays there."""
        start = time.monotonic()
        span: Span = {
            "node": node,
            "start_s": round(start - self._began, 6),
            "duration_s": 0.0,
            "status": "ok",
            "error": "",
        }
        self._spans.append(span)
        try:
            yield span
        except BaseException as failure:
            span["status"], span["error"] = _failed(failure)
            raise
        finally:
            span["duration_s"] = round(time.monotonic() - start, 6)
            if self._ended is not None:
                self._ended(span)


def _failed(failure: BaseException) -> tuple[str, str]:
    if isinstance(failure, DeadlineError | TimeoutError):
        return "timeout", "timeout"
    if isinstance(failure, asyncio.CancelledError):
        return "error", "cancelled"
    return "error", str(getattr(failure, "code", type(failure).__name__))
