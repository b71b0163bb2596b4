"""The spans of one request, and which of them it was waiting for."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ROUNDING_S = 2e-6
"""Spans are written to the microsecond, so an inner one may seem to end after its outer one."""


@dataclass(frozen=True)
class Step:
    """One span of a request."""

    node: str
    kind: str
    """`llm`, `tool`, `agent`, or whatever else the step calls itself."""
    start_s: float
    end_s: float
    failed: bool
    error: str
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    cache_hit: bool | None
    attempt: int
    """Attempts of one model call are spans of their own and count as one step."""

    @property
    def duration_s(self) -> float:
        """How long it took."""
        return self.end_s - self.start_s


def steps_of(spans: str | None) -> list[Step]:
    """The steps of a stored trace, in the order in which they began."""
    listed = json.loads(spans) if spans else []
    return [_step(span) for span in listed if span.get("node")]


def waited_s(steps: Sequence[Step], duration_s: float) -> tuple[list[float], float]:
    """Seconds that the request waited for each step, and for none of them; together its duration.

    From the end backwards: the request waited for the step that ended last, then for the one that
    had ended when that one began, and so on. What lies between two of them belongs to the innermost
    step around it. Spans don't name their parent: one that lies within an earlier one is taken to
    be a part of it, except that model calls hold nothing and tools hold no tools.
    """
    shares = [0.0] * len(steps)
    outer = {
        place
        for place, step in enumerate(steps)
        if any(_holds(step, later) for later in steps[place + 1 :])
    }
    leaves = [place for place in range(len(steps)) if place not in outer]
    elsewhere, upto = 0.0, duration_s
    while upto > 0.0:
        running = [place for place in leaves if steps[place].start_s < upto]
        if not running:
            elsewhere += _between(steps, outer, 0.0, upto, shares)
            break
        last = max(running, key=lambda place: (min(steps[place].end_s, upto), steps[place].end_s))
        ended = min(steps[last].end_s, upto)
        elsewhere += _between(steps, outer, ended, upto, shares)
        began = max(0.0, steps[last].start_s)
        shares[last] += ended - began
        leaves.remove(last)
        upto = began
    return shares, elsewhere


def _between(
    steps: Sequence[Step], outer: Iterable[int], low: float, high: float, shares: list[float]
) -> float:
    """Give a stretch without leaves to the steps around it; what nobody holds is the result."""
    around = [place for place in sorted(outer) if _overlaps(steps[place], low, high)]
    edges = {edge for place in around for edge in (steps[place].start_s, steps[place].end_s)}
    cuts = sorted({low, high, *(edge for edge in edges if low < edge < high)})
    unheld = 0.0
    for begin, end in itertools.pairwise(cuts):
        holding = [place for place in around if _overlaps(steps[place], begin, end)]
        if holding:
            shares[holding[-1]] += end - begin
        else:
            unheld += end - begin
    return unheld


def _overlaps(step: Step, low: float, high: float) -> bool:
    return step.start_s < high and step.end_s > low


def _holds(outer: Step, inner: Step) -> bool:
    if outer.kind == "llm" or outer.kind == inner.kind == "tool":
        return False
    return outer.start_s <= inner.start_s and inner.end_s <= outer.end_s + ROUNDING_S


def _step(span: Mapping[str, Any]) -> Step:
    start_s = float(span.get("start_s") or 0.0)
    return Step(
        node=str(span["node"]),
        kind=_kind(span),
        start_s=start_s,
        end_s=start_s + float(span.get("duration_s") or 0.0),
        failed=span.get("status", "ok") != "ok",
        error=str(span.get("error") or ""),
        input_tokens=span.get("input_tokens"),
        output_tokens=span.get("output_tokens"),
        cost_usd=span.get("cost_usd"),
        cache_hit=span.get("cache_hit"),
        attempt=int(span.get("attempt") or 1),
    )


def _kind(span: Mapping[str, Any]) -> str:
    # The question-answering graph's spans have no kind, but only a model counts tokens.
    return str(span.get("kind") or ("llm" if "input_tokens" in span else "step"))
