"""What the ledger decided, as metrics: shares, evidence, windows, verdicts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from engine.experiment.entries import Decision, Entry, Reallocated, decision_of
from engine.experiment.split import BUCKETS, HELD_OUT
from engine.experiment.state import State, WorkflowState
from engine.experiment.verdict import Verdict
from serve_apps.telemetry import table
from serve_apps.telemetry.meters import Labels, Meters
from serve_apps.telemetry.table import Metric

SHOWN: Mapping[str, Metric] = {
    "log_e": table.EVIDENCE,
    "harm_log_e": table.HARM,
    "srm_log_e": table.MISMATCH,
    "lift": table.LIFT,
}
Figures = Mapping[str, float | int | None]


class DecisionMeters:
    """Follows the ledger with the control actor; what was decided before it began is no news."""

    def __init__(self, meters: Meters, began_at: float) -> None:
        self._meters = meters
        self._began_at = began_at
        self._figures: dict[str, Figures] = {}

    def saw(self, entries: Iterable[Entry], state: State) -> None:
        """Take in new entries and the state that they led to."""
        for entry in entries:
            decision = decision_of(entry)
            for window, figures in _figures_of(decision).items():
                self._figures[window] = {**self._figures.get(window, {}), **figures}
            verdict = getattr(decision, "verdict", None)
            if isinstance(verdict, Verdict) and entry.at >= self._began_at:
                workflow = _workflow_of(decision, state)
                self._meters.count(table.VERDICTS, workflow, verdict.action, verdict.cause)
        self._tell(state)

    def unseated(self, failed: Iterable[str]) -> None:
        """Tell which variants, as `workflow/variant`, could not be built."""
        counts: dict[Labels, float] = defaultdict(float)
        for name in failed:
            counts[(name.partition("/")[0],)] += 1
        self._meters.gauges(table.UNSEATED, counts)

    def _tell(self, state: State) -> None:
        shares: dict[Labels, float] = {}
        windows: dict[Labels, float] = defaultdict(float)
        open_: set[str] = set()
        shown: dict[Metric, dict[Labels, float]] = {metric: {} for metric in SHOWN.values()}
        for workflow in state.workflows.values():
            shares |= _shares(workflow)
            for window in workflow.open_windows:
                open_.add(window.id)
                windows[workflow.name, window.kind] += 1
                for figure, metric in SHOWN.items():
                    value = self._figures.get(window.id, {}).get(figure)
                    if value is not None:
                        shown[metric][workflow.name, window.candidate] = value
        self._figures = {id_: known for id_, known in self._figures.items() if id_ in open_}
        self._meters.gauges(table.SHARE, shares)
        self._meters.gauges(table.WINDOWS, windows)
        for metric, values in shown.items():
            self._meters.gauges(metric, values)


def _shares(workflow: WorkflowState) -> dict[Labels, float]:
    """The parts of traffic by variant and role; a variant with two roles has a part of each."""
    split = workflow.split
    held = 0 if split.holdout is None else split.holdout.share
    rest = (1 - held / BUCKETS) / BUCKETS
    shares: dict[Labels, float] = defaultdict(float)
    shares[workflow.name, split.baseline, "baseline"] = split.baseline_share * rest
    for lane in split.lanes:
        kind = workflow.windows[lane.window].kind
        shares[workflow.name, lane.variant, kind] += lane.share * rest
    if split.holdout is not None:
        shares[workflow.name, split.holdout.variant, HELD_OUT] = held / BUCKETS
    return shares


def _figures_of(decision: Decision) -> dict[str, Figures]:
    if isinstance(decision, Reallocated):
        return dict(decision.figures)
    verdict, window = getattr(decision, "verdict", None), getattr(decision, "window", None)
    if isinstance(verdict, Verdict) and isinstance(window, str):
        return {window: verdict.figures}
    return {}


def _workflow_of(decision: Decision, state: State) -> str:
    """The workflow that is decided about, which entries on a window leave to the window."""
    named = getattr(decision, "workflow", None)
    return (
        named if isinstance(named, str) else state.window(getattr(decision, "window", "")).workflow
    )
