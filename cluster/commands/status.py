"""`trimtab status`: what is served, tried and ramped now."""

import time
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path
from typing import Annotated, Any

import typer

from cluster.address import control_status
from cluster.options import DEFAULT, Json, Workspace
from cluster.output import say, show, show_json, show_table
from cluster.workspace import decisions_of, existing, workflow_of
from engine.config.experiment import Experiment
from engine.errors import ClusterError
from engine.evidence.measure import Facts
from engine.experiment.split import BUCKETS
from engine.experiment.state import State, WorkflowState
from engine.experiment.variant import differences
from engine.experiment.verdict import Verdict
from engine.experiment.window import Window
from search.assessed import assess_holdback, assess_step, assess_trial
from search.books import FactsFollower
from search.explain import changes_in_words
from search.held import against_holdout
from search.words import count, percent, points, share

COLUMNS = (
    *("window", "kind", "candidate", "share", "lease", "units", "lift", "log e / needed", "harm"),
    *("latency", "verdict", "changes"),
)
SHOWN = ("candidate_units", "baseline_units", "lift", "se", "log_e", "harm_log_e", "latency_ratio")


@dataclass(frozen=True)
class OpenWindow:
    """One window that claims traffic, and what is known in it."""

    id: str
    kind: str
    experiment: str
    candidate: str
    share: float
    lane: float
    lease_s: float
    lapses_at: float | None
    alpha: float
    changes: dict[str, list[Any]]
    figures: dict[str, float | int | None]
    verdict: str
    reason: str


def status(
    workflow: Annotated[str | None, typer.Argument(help="One workflow; all without it.")] = None,
    workspace: Workspace = DEFAULT,
    *,
    as_json: Json = False,
) -> None:
    """Show what is served, tried and ramped now.

    Example: trimtab status docs-qa
    """
    root = existing(workspace)
    with decisions_of(root) as decisions:
        state = decisions.state()
    wanted = [workflow_of(state, workflow)] if workflow else list(state.workflows.values())
    cluster, why = _cluster(root)
    follower = FactsFollower(root)
    facts = follower.follow()
    told = [_workflow(state, one, facts, follower, cluster) for one in wanted]
    if as_json:
        show_json({"seq": state.seq, "workflows": told, "cluster": cluster, "unreachable": why})
        return
    for one in told:
        _show(one)
    _show_cluster(cluster, why)


def _cluster(root: Path) -> tuple[dict[str, Any] | None, str | None]:
    try:
        return control_status(root), None
    except ClusterError as error:
        return None, str(error)


def _workflow(
    state: State,
    workflow: WorkflowState,
    facts: Facts,
    follower: FactsFollower,
    cluster: dict[str, Any] | None,
) -> dict[str, Any]:
    leases = (cluster or {}).get("leases", {})
    windows = [
        _window(state, workflow, window, facts, follower, leases.get(window.id))
        for window in workflow.open_windows
    ]
    return {
        "workflow": workflow.name,
        "baseline": workflow.baseline,
        "previous": workflow.previous,
        "version": workflow.split.version,
        "baseline_share": workflow.split.baseline_share / BUCKETS,
        "ramp": workflow.ramp.id if workflow.ramp else None,
        "holdback": workflow.holdback.id if workflow.holdback else None,
        "holdout": _holdout(state, workflow, facts, follower),
        "windows": [asdict(window) for window in windows],
        "experiments": [
            {
                "experiment": one.name,
                "ended": one.ended,
                "promoted": list(one.promoted),
                "windows": len(one.windows),
            }
            for one in state.experiments.values()
            if one.workflow == workflow.name
        ],
    }


def _holdout(
    state: State, workflow: WorkflowState, facts: Facts, follower: FactsFollower
) -> dict[str, Any] | None:
    """What is known of the units held out, after the newest experiment's maturation."""
    held = workflow.split.holdout
    own = [one.config for one in state.experiments.values() if one.workflow == workflow.name]
    if held is None or not own:
        return None
    maturation_s = Experiment.model_validate(own[-1]).maturation_s
    now = follower.settled_at()
    figures = against_holdout(workflow, facts, now=now, maturation_s=maturation_s)
    return {"variant": held.variant, "share": held.share / BUCKETS, "figures": figures}


def _window(
    state: State,
    workflow: WorkflowState,
    window: Window,
    facts: Facts,
    follower: FactsFollower,
    lapses_at: float | None,
) -> OpenWindow:
    verdict = _verdict(state, workflow, window, facts, follower)
    changed = differences(workflow.variants[window.baseline], workflow.variants[window.candidate])
    return OpenWindow(
        id=window.id,
        kind=window.kind,
        experiment=window.experiment,
        candidate=window.candidate,
        share=window.share / BUCKETS,
        lane=window.lane / BUCKETS,
        lease_s=window.lease_s,
        lapses_at=lapses_at,
        alpha=window.alpha,
        changes={path: list(pair) for path, pair in changed.items()},
        figures=dict(verdict.figures) if verdict else {},
        verdict=f"{verdict.action}: {verdict.cause}" if verdict else "unweighed",
        reason=verdict.reason if verdict else "the window belongs to no experiment",
    )


def _verdict(
    state: State,
    workflow: WorkflowState,
    window: Window,
    facts: Facts,
    follower: FactsFollower,
) -> Verdict | None:
    known = state.experiments.get(window.experiment)
    if known is None:
        return None
    assess = {"trial": assess_trial, "ramp": assess_step, "holdback": assess_holdback}[window.kind]
    config = Experiment.model_validate(known.config)
    return assess(workflow, config, window, facts, upto=follower.upto, now=follower.settled_at())


def _show(told: dict[str, Any]) -> None:
    show(
        f"{told['workflow']}: baseline {told['baseline']} gets {percent(told['baseline_share'])} "
        f"(split {told['version']}); before it: {told['previous'] or 'none'}"
    )
    for one in told["experiments"]:
        promoted = ", ".join(one["promoted"]) or "nothing"
        show(f"  experiment {one['experiment']}: {one['ended'] or 'going on'}; promoted {promoted}")
    if told["holdout"]:
        show(_held(told["holdout"]))
    if not told["windows"]:
        show("  no window is open")
        return
    heads = (
        "window,kind,candidate,share,lease,units,lift,log e / needed,harm,latency,verdict,changes"
    )
    columns = heads.split(",")
    show_table("open windows", columns, [_row(OpenWindow(**window)) for window in told["windows"]])
    if told["holdback"]:
        say("in a holdback the figures are the baseline's, against the former one")


def _held(told: dict[str, Any]) -> str:
    figures = told["figures"]
    return (
        f"  held out: {told['variant']} keeps {percent(told['share'])}; the baseline is "
        f"{points(figures['lift'])} better over {count(figures['candidate_units'])} and "
        f"{count(figures['baseline_units'])} units"
    )


def _row(window: OpenWindow) -> list[str]:
    figures = {name: window.figures.get(name) for name in SHOWN}
    units = figures["candidate_units"]
    return [
        window.id,
        window.kind,
        window.candidate,
        share(round(window.share * BUCKETS)),
        _lease(window),
        "-" if units is None else f"{units:,.0f}",
        "-" if figures["lift"] is None else points(figures["lift"]),
        f"{_figure(figures['log_e'])} / {_needed(window)}",
        _figure(figures["harm_log_e"]),
        _figure(figures["latency_ratio"]),
        window.verdict,
        changes_in_words({path: (pair[0], pair[1]) for path, pair in window.changes.items()}),
    ]


def _lease(window: OpenWindow) -> str:
    """How long the window lives unless its lease is renewed, as the control actor counts."""
    if not window.lease_s:
        return "-"
    if window.lapses_at is None:
        return f"{window.lease_s:g} s"
    return f"{max(window.lapses_at - time.time(), 0.0):.0f} of {window.lease_s:g} s"


def _needed(window: OpenWindow) -> str:
    return f"{log(1.0 / window.alpha):.2f}" if window.alpha else "-"


def _figure(figure: float | int | None) -> str:
    return "-" if figure is None else f"{figure:.2f}"


def _show_cluster(cluster: dict[str, Any] | None, why: str | None) -> None:
    if why is not None:
        say(f"cluster: {why}")
    elif cluster is None:
        say("cluster: nothing is up; `trimtab up CONFIG` starts one")
    else:
        rows = [
            [slot, str(seat["variant"]), str(seat["replicas"]), str(slot in cluster["ready"])]
            for slot, seat in cluster["seats"].items()
        ]
        show_table("seats", ("slot", "variant", "replicas", "ready"), rows)
        for variant, failure in cluster["failed"].items():
            say(f"{variant} can't be seated: {failure}")
