"""Hot problems: what is slow, failing, timing out, expensive or badly rated, and where."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import ceil, exp, log, sqrt
from typing import Literal

import polars as pl
from scipy.special import ndtri, stdtrit

from engine.errors import ConfigError
from engine.evidence.calls import Row, Scope, Spread, calls_of, rows_of
from engine.evidence.measure import Facts
from engine.evidence.rollup import MINUTE_S, minute_of
from engine.evidence.rollup_parts import Rolled, examples_of, parts_of, rated_calls, within
from engine.stats.interval import Interval
from engine.stats.proportion import wilson

ProblemKind = Literal[
    "slow", "slower", "failing", "timing_out", "expensive", "dearer", "badly_rated"
]

WORDS: dict[ProblemKind, str] = {
    "slow": "slow",
    "slower": "slower than before",
    "failing": "failing",
    "timing_out": "timing out",
    "expensive": "expensive",
    "dearer": "dearer than before",
    "badly_rated": "badly rated",
}
CONFIDENCE = 0.95
GREW = 1.5
"""A mean that grew by this factor against the window before is a problem of its own."""
DEAR_USD = 0.5
"""Mean cost of a request that nobody should pay unasked."""
POOR = 0.5
"""A mean rating that even a workflow without parts must reach."""
BEHIND = 0.1
"""A part may be rated this much worse than its workflow."""
EXAMPLES = 3
FAINT = 0.05
"""A rating below this is no worse in severity, so that a severity stays finite."""


@dataclass(frozen=True)
class Problem:
    """One part of a workflow that did worse than it should, with what shows it."""

    kind: ProblemKind
    workflow: str
    scope: Scope
    name: str
    """The node, the variant's hash or the segment; the workflow itself in its own scope."""
    calls: int
    """Requests of the part in the window; of a node, its spans."""
    figure: Interval
    """Mean seconds, share of calls, ratio to the window before, mean USD, or mean rating."""
    limit: float
    """What the figure was held against."""
    severity: float
    """How many times beyond the limit; at least 1."""
    trace_ids: tuple[str, ...]
    """The worst examples first, three at most."""


@dataclass(frozen=True)
class Limits:
    """What a part's figures are held against."""

    min_calls: int = 50
    """Parts with fewer calls are left out."""
    slow_mean_s: float = 3.0
    error_share: float = 0.05


USUAL = Limits()


def observe(
    facts: Facts,
    *,
    now: float,
    window_s: float = 3_600.0,
    min_calls: int = 50,
    slow_mean_s: float = 3.0,
    error_share: float = 0.05,
) -> list[Problem]:
    """The problems of the last `window_s` seconds, the worst first.

    Slow is a mean above `slow_mean_s`; slower and dearer are a mean at least 1.5 times that of the
    window before, with an interval of the ratio that excludes 1; failing and timing out are a share
    above `error_share`, where a timeout is a failure too; expensive is a mean above 0.50 USD a
    request. Badly rated is a mean rating whose interval lies wholly below 0.5, or below the
    workflow's own less 0.1. Parts with fewer than `min_calls` calls, or ratings, are left out, and
    so is a part that every request went through, where its workflow says the same.

    Raises:
        ConfigError: A limit is not above 0.
    """
    check(window_s=window_s, min_calls=min_calls, slow_mean_s=slow_mean_s, error_share=error_share)
    calls = calls_of(facts, after=now - window_s, upto=now)
    earlier = rows_of(calls_of(facts, after=now - 2 * window_s, upto=now - window_s))
    limits = Limits(min_calls, slow_mean_s, error_share)
    found = [with_examples(one, calls) for one in _problems(rows_of(calls), earlier, limits)]
    return sorted(found, key=_worst_first)


def observe_rolled(
    rolled: Rolled,
    *,
    now: float,
    window_s: float = 3_600.0,
    limits: Limits = USUAL,
) -> list[Problem]:
    """The same problems from roll-ups, without a look at any trace.

    The window is made of whole minutes: it begins and ends with the minute in which `now` is.

    Raises:
        ConfigError: A limit is not above 0.
    """
    check(window_s=window_s, **vars(limits))
    upto = (minute_of(now) + 1) * MINUTE_S
    length_s = max(MINUTE_S, ceil(window_s / MINUTE_S) * MINUTE_S)
    newest = within(rolled, after=upto - length_s, upto=upto)
    earlier = within(rolled, after=upto - 2 * length_s, upto=upto - length_s)
    found = problems_between(newest, earlier, limits)
    rated = rated_calls(newest) if any(one.kind == "badly_rated" for one in found) else None
    return [_with_rolled_examples(one, newest, rated) for one in found]


def problems_between(newest: Rolled, earlier: Rolled, limits: Limits) -> list[Problem]:
    """What the newest sums say beside those of the window before, without examples."""
    return sorted(_problems(parts_of(newest), parts_of(earlier), limits), key=_worst_first)


def _problems(every: Sequence[Row], earlier: Sequence[Row], limits: Limits) -> Iterator[Problem]:
    wholes = {row.workflow: row for row in every if row.scope == "workflow"}
    rows = [row for row in every if row.calls >= limits.min_calls]
    before = {row.key: row for row in earlier if row.calls >= limits.min_calls}
    for row in rows:
        whole = wholes[row.workflow]
        if row.scope in {"variant", "segment"} and row.calls == whole.calls:
            continue
        yield from _slow(row, before.get(row.key), limits.slow_mean_s)
        yield from _failing(row, limits.error_share)
        yield from _expensive(row, before.get(row.key))
        yield from _badly_rated(row, whole, limits.min_calls)


def _worst_first(problem: Problem) -> tuple[float, int, str, str, str, str]:
    place = (problem.workflow, problem.scope, problem.name, problem.kind)
    return (-problem.severity, -problem.calls, *place)


def check(**limits: float) -> None:
    """Refuse limits that nothing could be held against.

    Raises:
        ConfigError: A limit is not above 0.
    """
    for name, limit in limits.items():
        if not limit > 0:
            raise ConfigError(f"observe: {name} is {limit!r}; it must be above 0")


def _slow(row: Row, before: Row | None, slow_mean_s: float) -> Iterable[Problem]:
    if (figure := _mean(row.duration_s)) and figure.estimate > slow_mean_s:
        yield _problem("slow", row, figure, slow_mean_s)
    if before and (figure := _growth(row.duration_s, before.duration_s)):
        yield _problem("slower", row, figure, GREW)


def _failing(row: Row, error_share: float) -> Iterable[Problem]:
    kinds: Sequence[tuple[ProblemKind, int]] = [
        ("failing", row.failed),
        ("timing_out", row.timed_out),
    ]
    for kind, count in kinds:
        figure = wilson(count, row.calls, CONFIDENCE)
        if figure.estimate > error_share:
            yield _problem(kind, row, figure, error_share)


def _expensive(row: Row, before: Row | None) -> Iterable[Problem]:
    if (figure := _mean(row.cost_usd)) and figure.estimate > DEAR_USD:
        yield _problem("expensive", row, figure, DEAR_USD)
    if before and (figure := _growth(row.cost_usd, before.cost_usd)):
        yield _problem("dearer", row, figure, GREW)


def _badly_rated(row: Row, whole: Row, min_calls: int) -> Iterable[Problem]:
    figure = _mean(row.score)
    if figure is None or row.score.n < min_calls or whole.score.mean is None:
        return
    if row.scope == "node" and row.score.n >= whole.score.n:
        return
    limit = max(POOR, whole.score.mean - BEHIND)
    if figure.high < limit:
        severity = limit / max(figure.estimate, FAINT)
        yield _problem("badly_rated", row, figure, limit, severity)


def _problem(
    kind: ProblemKind, row: Row, figure: Interval, limit: float, severity: float | None = None
) -> Problem:
    return Problem(
        kind=kind,
        workflow=row.workflow,
        scope=row.scope,
        name=row.name,
        calls=row.calls,
        figure=figure,
        limit=limit,
        severity=figure.estimate / limit if severity is None else severity,
        trace_ids=(),
    )


def _mean(spread: Spread) -> Interval | None:
    """Student's interval of a mean; None for fewer than two values."""
    if spread.mean is None or spread.variance is None:
        return None
    quantile = float(stdtrit(spread.n - 1, (1.0 + CONFIDENCE) / 2.0))
    half = quantile * sqrt(spread.variance / spread.n)
    return Interval(low=spread.mean - half, high=spread.mean + half, estimate=spread.mean)


def _growth(now: Spread, before: Spread) -> Interval | None:
    """The ratio of two means where it is a problem; its interval is that of its logarithm."""
    if not now.mean or not before.mean or now.variance is None or before.variance is None:
        return None
    ratio = now.mean / before.mean
    squares = [side.variance / (side.n * side.mean**2) for side in (now, before)]  # type: ignore[operator]
    half = float(ndtri((1.0 + CONFIDENCE) / 2.0)) * sqrt(sum(squares))
    low, high = exp(log(ratio) - half), exp(log(ratio) + half)
    if ratio < GREW or low <= 1.0:
        return None
    return Interval(low=low, high=high, estimate=ratio)


_WORST: dict[ProblemKind, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "slow": lambda calls: calls.sort("duration_s", descending=True, nulls_last=True),
    "slower": lambda calls: calls.sort("duration_s", descending=True, nulls_last=True),
    "failing": lambda calls: calls.filter("failed").sort("at", descending=True),
    "timing_out": lambda calls: calls.filter("timed_out").sort("at", descending=True),
    "expensive": lambda calls: calls.sort("cost_usd", descending=True, nulls_last=True),
    "dearer": lambda calls: calls.sort("cost_usd", descending=True, nulls_last=True),
    "badly_rated": lambda calls: calls.sort("score", "at", nulls_last=True),
}


def with_examples(problem: Problem, calls: pl.DataFrame) -> Problem:
    """The problem with the worst of these calls, each of another request."""
    own = calls.filter(
        (pl.col("workflow") == problem.workflow)
        & (pl.col("scope") == problem.scope)
        & (pl.col("name") == problem.name)
    )
    worst = _WORST[problem.kind](own)["trace_id"].unique(maintain_order=True)
    return replace(problem, trace_ids=tuple(worst.head(EXAMPLES).to_list()))


WORST_BY: Mapping[ProblemKind, str] = {
    "slow": "slowest",
    "slower": "slowest",
    "failing": "failures",
    "timing_out": "timeouts",
    "expensive": "dearest",
    "dearer": "dearest",
}
"""The column of a sum that says where a problem's worst calls are."""


def _with_rolled_examples(problem: Problem, rolled: Rolled, rated: pl.DataFrame | None) -> Problem:
    if problem.kind == "badly_rated" and rated is not None:
        return with_examples(problem, rated)
    place = (problem.workflow, problem.scope, problem.name)
    worst = islice(examples_of(rolled, WORST_BY[problem.kind], place), EXAMPLES)
    return replace(problem, trace_ids=tuple(worst))
