"""`trimtab plan`: what an experiment takes, before its first unit."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cluster.options import Json
from cluster.output import say, show, show_json, show_table
from engine.books.durable import write_whole
from engine.config.experiment import load_experiment
from engine.errors import ConfigError
from search.planning import Level, Plan, Span, planned
from search.reports.curves import Axes, Line, lines_svg
from search.words import margin, percent

_TRAFFIC = re.compile(r"(\d[\d_]*(?:\.\d+)?)\s*/\s*(s|minute|hour|day)")
_SECONDS = {"s": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0}
COLUMNS = (
    *(
        "candidate",
        "level",
        "log e needed",
        "information bound",
        "half of them by",
        "nine in ten by",
    ),
    *("8 in 10 by a fixed z-test", "proved in a window"),
)


def plan(
    experiment: Annotated[Path, typer.Argument(help="An experiment's YAML file.")],
    traffic: Annotated[
        str, typer.Option(help="Rated units of all traffic: 50000/day, 900/hour, 20/minute, 3/s.")
    ],
    effect: Annotated[
        float | None, typer.Option(help="What a candidate adds; `objective.mde` without it.")
    ] = None,
    rate: Annotated[
        float, typer.Option(help="The baseline's mean score; 0.5 takes longest.")
    ] = 0.5,
    out: Annotated[
        Path | None, typer.Option(help="An SVG file for the chance of a proof over time.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Tell how long an experiment takes on this traffic, before it begins.

    For candidates that add the effect, at the declared share. A window is over when evidence is in,
    so candidates that are far better or worse take less.

    Example: trimtab plan configs/demo/experiment.yaml --traffic 50000/day --rate 0.6
    """
    loaded = load_experiment(experiment).experiment
    told = planned(loaded, units_per_s=units_per_s(traffic), rate=rate, effect=effect)
    if out is not None:
        write_whole(out, chart_of(told).encode())
        say(f"written: {out}")
    if as_json:
        show_json(asdict(told))
    else:
        _show(told)


def units_per_s(text: str) -> float:
    """Traffic as an operator writes it.

    Raises:
        ConfigError: It is none.
    """
    matched = _TRAFFIC.fullmatch(text.strip())
    if matched is None:
        why = "write a number and /s, /minute, /hour or /day, such as 50000/day"
        raise ConfigError(f"--traffic is {text!r}; {why}")
    return float(matched[1]) / _SECONDS[matched[2]]


def chart_of(told: Plan) -> str:
    """The chance of a proof over time, as SVG."""
    chances = told.chances
    lines = [
        Line("evidence, looked at always", chances.days, chances.evidence),
        Line("z-test fixed at that day", chances.days, chances.fixed),
    ]
    axes = Axes(
        x="days since the window opened",
        y="chance that the candidate is proved better",
        colour="test",
        y_low=0.0,
        y_high=1.0,
    )
    return lines_svg("chances", lines, axes)


def _show(told: Plan) -> None:
    show(
        f"{told.units_per_s * 86_400:,.0f} rated units a day, {percent(told.share)} for each "
        f"candidate and {percent(told.baseline_share)} for the baseline at {percent(told.rate)}; "
        f"a candidate adds {margin(told.effect)}"
    )
    rows = [_row(told.first), _row(told.last)]
    show_table("candidate units and days of one window", COLUMNS, rows)
    show(f"a window lasts {_span(told.window)} at most")
    show(f"in a week {_count(told.per_week, told.max_trials)}")
    if told.within_duration is not None:
        show(f"within max_duration_s {_count(told.within_duration, told.max_trials)}")
    for level in (told.first, told.last):
        if level.within_window < 0.5:
            show(
                f"note: of such candidates only {percent(level.within_window)} are proved at level "
                f"{level.alpha:.2g} before windows.max_units; raise it, or look for more"
            )


def _row(level: Level) -> list[str]:
    return [
        f"no. {level.trial}",
        f"{level.alpha:.2g}",
        f"{level.nats:.2f}",
        _span(level.information),
        _span(level.median),
        _span(level.p90),
        _span(level.fixed),
        percent(level.within_window),
    ]


def _span(span: Span | None) -> str:
    if span is None:
        return "too long to tell"
    hours = span.days * 24.0
    if hours < 1.0:
        length = f"{hours * 60.0:.1f} minutes"
    else:
        length = f"{hours:.1f} hours" if hours < 48.0 else f"{span.days:.1f} days"
    return f"{span.units:,.0f} ({length})"


def _count(candidates: int, most: int) -> str:
    if candidates == 0:
        return "no window comes to that length"
    limit = f"; max_trials allows {most}" if candidates > most else ""
    return f"at least {candidates:,} candidates are tried to that length{limit}"
