"""What a person sees while an experiment is under way."""

import contextlib
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from engine.config.experiment import Experiment
from engine.experiment.decide import figures_of
from engine.experiment.split import BUCKETS
from engine.experiment.state import State, WorkflowState
from engine.experiment.window import Window
from search.assess import pair_of, rules_of, sample_of
from search.books import Decisions, FactsFollower

RENEWED_S = 2.0
PRINTED_S = 15.0
COLUMNS = ("variant", "share", "units", "lift", "log e", "harm", "errors", "latency", "state")


@contextlib.contextmanager
def live(root: Path, experiment: str, *, quiet: bool = False) -> Iterator[None]:
    """Show share, units, evidence and guardrails per window on standard error until the end.

    A terminal gets a table that renews itself, anything else a table now and then.
    """
    if quiet:
        yield
        return
    console = Console(file=sys.stderr, width=None if sys.stderr.isatty() else 100)
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(root, experiment, console, stop), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)


def _watch(root: Path, experiment: str, console: Console, stop: threading.Event) -> None:
    facts = FactsFollower(root)
    display = Live(console=console) if console.is_terminal else None
    period_s = RENEWED_S if display else PRINTED_S
    with contextlib.closing(Decisions(root)) as decisions, display or contextlib.nullcontext():
        while not stop.wait(period_s):
            state = decisions.state()
            if experiment in state.experiments:
                table = _table(state, experiment, facts)
                (display.update if display else console.print)(table)


def _table(state: State, experiment: str, facts: FactsFollower) -> Table:
    known = state.experiments[experiment]
    workflow = state.workflows[known.workflow]
    settings = Experiment.model_validate(known.config)
    frames = facts.follow()
    title = f"{experiment}: {frames.exposures.height} requests, baseline {workflow.baseline}"
    table = Table(title=title)
    for column in COLUMNS:
        table.add_column(column, no_wrap=True)
    for window in workflow.windows.values():
        if window.experiment != experiment:
            continue
        if window.is_open and window.kind != "holdback":
            sample, _ = sample_of(
                frames, pair_of(workflow, window), settings, upto=facts.upto, now=facts.settled_at()
            )
            rules = rules_of(settings, window, high_risk=False)
            table.add_row(*_row(workflow, window, figures_of(sample, rules)))
        elif window.verdict is not None:
            table.add_row(*_row(workflow, window, window.verdict.figures), style="dim")
    return table


def _row(
    workflow: WorkflowState, window: Window, figures: Mapping[str, float | int | None]
) -> list[str]:
    share = workflow.split.share_of(window.id) / BUCKETS
    state = window.verdict.cause if window.verdict else window.kind
    return [
        window.candidate,
        f"{share:.0%}" if window.is_open else "-",
        _said(figures.get("candidate_units"), ".0f"),
        _said(figures.get("lift"), "+.3f"),
        _said(figures.get("log_e"), "+.1f"),
        _said(figures.get("harm_log_e"), "+.1f"),
        _said(figures.get("no_error_log_e"), "+.1f"),
        _said(figures.get("latency_log_e"), "+.1f"),
        state,
    ]


def _said(figure: float | int | None, form: str) -> str:
    return "-" if figure is None else format(figure, form)
