"""What an experiment came to, read from the ledger's fold and the study."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import optuna

from engine.experiment.state import State
from engine.experiment.window import Window


@dataclass(frozen=True)
class TrialRow:
    """How one trial ended."""

    window: str
    """Its last window; empty for a trial that never opened one."""
    config_hash: str
    state: str
    """open, stop, nominated, promoted or duplicate."""
    cause: str
    units: int
    lift: float | None
    se: float | None
    log_e: float | None


@dataclass(frozen=True)
class Outcome:
    """What an experiment came to."""

    trials: tuple[TrialRow, ...]
    promoted: str | None
    """The promoted variant's hash."""
    reason: str


def outcome_of(state: State, experiment: str, study: optuna.Study, reason: str) -> Outcome:
    """The trials of the experiment's last beginning, in the order of their proposals."""
    promoted = state.experiments[experiment].promoted
    last = {one.trial: one for one in windows_of(state, experiment) if one.kind == "trial"}
    rows = []
    for one in study.get_trials(deepcopy=False):
        window = last.get(one.user_attrs.get("trial", ""))
        if window is not None:
            rows.append(_row(window, one.user_attrs, promoted))
        elif one.user_attrs.get("cause") == "duplicate":
            rows.append(_duplicate(one.user_attrs))
    return Outcome(trials=tuple(rows), promoted=promoted[-1] if promoted else None, reason=reason)


def _row(window: Window, noted: Mapping[str, Any], promoted: tuple[str, ...]) -> TrialRow:
    """A superseded window's verdict weighs nothing, so its figures are those of its last look."""
    verdict = window.verdict
    weighed = verdict.figures if verdict else {}
    state = "open" if verdict is None else "stop"
    if verdict is not None and verdict.action == "promote":
        state = "promoted" if window.candidate in promoted else "nominated"
    return TrialRow(
        window=window.id,
        config_hash=window.candidate,
        state=state,
        cause=verdict.cause if verdict else "",
        units=int(weighed.get("candidate_units") or noted.get("units", 0)),
        lift=weighed.get("lift", noted.get("lift")),
        se=weighed.get("se", noted.get("se")),
        log_e=weighed.get("log_e", noted.get("log_e")),
    )


def _duplicate(noted: Mapping[str, Any]) -> TrialRow:
    return TrialRow(
        window="",
        config_hash=noted["candidate"],
        state="duplicate",
        cause="duplicate",
        units=0,
        lift=None,
        se=None,
        log_e=None,
    )


def windows_of(state: State, experiment: str) -> Iterator[Window]:
    """Every window of an experiment, oldest first."""
    workflow = state.workflow(state.experiments[experiment].workflow)
    return (one for one in workflow.windows.values() if one.experiment == experiment)
