"""`trimtab observe`: the hot problems of the last hour."""

import re
import time
from dataclasses import asdict
from typing import Annotated

import typer

from cluster.options import DEFAULT, Json, Workspace
from cluster.output import show, show_json, show_table
from cluster.workspace import existing
from engine.books.hindsight import problems_of
from engine.books.inspection import problems_in_traces
from engine.errors import ConfigError
from engine.evidence.observe import WORDS, Limits, Problem
from engine.stats.interval import Interval

_LENGTH = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


def observe(
    workspace: Workspace = DEFAULT,
    window: Annotated[str, typer.Option(help="How far back: 90s, 60m, 2h, 1d.")] = "60m",
    min_calls: Annotated[int, typer.Option(help="Parts with fewer calls are left out.")] = 50,
    slow_mean_s: Annotated[float, typer.Option(help="A mean above this is slow.")] = 3.0,
    error_share: Annotated[float, typer.Option(help="A share of failures above this.")] = 0.05,
    *,
    exact: Annotated[
        bool, typer.Option("--exact", help="Read the traces, to the second, not their roll-ups.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show what is slow, failing, expensive or badly rated.

    Example: trimtab observe --window 15m --min-calls 20
    """
    window_s = seconds_of(window)
    looked = problems_in_traces if exact else problems_of
    problems = looked(
        existing(workspace),
        now=time.time(),
        window_s=window_s,
        limits=Limits(min_calls, slow_mean_s, error_share),
    )
    if as_json:
        show_json({"window_s": window_s, "problems": [asdict(problem) for problem in problems]})
        return
    if not problems:
        show(f"no problem in the last {window}, among parts with at least {min_calls} calls")
        return
    columns = ("problem", "where", "calls", "figure", "95 % interval", "limit", "worst traces")
    show_table(f"the last {window}", columns, [_row(problem) for problem in problems])


def seconds_of(length: str) -> float:
    """A length of time as an operator writes it.

    Raises:
        ConfigError: It is none.
    """
    matched = _LENGTH.fullmatch(length.strip())
    if matched is None:
        raise ConfigError(f"--window is {length!r}; write a number and s, m, h or d, such as 60m")
    return float(matched[1]) * _SECONDS[matched[2]]


def _row(problem: Problem) -> list[str]:
    where = problem.workflow if problem.scope == "workflow" else f"{problem.scope} {problem.name}"
    figure, interval = _figures(problem, problem.figure)
    return [
        WORDS[problem.kind],
        where,
        f"{problem.calls:,}",
        figure,
        interval,
        _figure(problem, problem.limit),
        "\n".join(problem.trace_ids),
    ]


def _figures(problem: Problem, interval: Interval) -> tuple[str, str]:
    low, high = _figure(problem, interval.low), _figure(problem, interval.high)
    return _figure(problem, interval.estimate), f"{low} to {high}"


def _figure(problem: Problem, figure: float) -> str:
    match problem.kind:
        case "slow":
            return f"{figure:.2f} s"
        case "slower" | "dearer":
            return f"{figure:.2f} times"
        case "failing" | "timing_out" | "badly_rated":
            return f"{figure * 100:.1f} %"
        case "expensive":
            return f"{figure:.3f} USD"
