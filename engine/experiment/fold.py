"""The fold of the ledger's entries: each changes the state in one lawful way, or is refused."""

from collections.abc import Iterable
from typing import assert_never

from engine.errors import LedgerCorruptError
from engine.experiment import ramp
from engine.experiment.entries import (
    CandidateAdded,
    Decision,
    Entry,
    ExperimentEnded,
    ExperimentStarted,
    HoldbackClosed,
    HoldbackNarrowed,
    Installed,
    Nominated,
    Promoted,
    RampStepped,
    Reallocated,
    RolledBack,
    WindowClosed,
    WindowOpened,
    decision_of,
)
from engine.experiment.lawful import (
    check_chain,
    check_lanes,
    check_opening,
    experiment_of,
    open_window,
    require,
    workflow_of,
)
from engine.experiment.shares import made_room, reallocated
from engine.experiment.split import BUCKETS, Holdout, Split
from engine.experiment.state import ExperimentState, State, WorkflowState
from engine.experiment.window import Window


def fold(entries: Iterable[Entry], state: State | None = None) -> State:
    """Continue a state with newer entries; the same entries give the same state for ever.

    Raises:
        LedgerCorruptError: An entry does not follow from those before it.
    """
    state = state or State()
    for entry in entries:
        state = after(state, decision_of(entry), seq=entry.seq, at=entry.at)
    return state


def after(state: State, decision: Decision, *, seq: int, at: float) -> State:
    """The state after one more decision.

    Raises:
        LedgerCorruptError: The decision is not lawful in this state.
    """
    if seq != state.seq + 1:
        raise LedgerCorruptError(seq, f"follows entry {state.seq}")
    return _changed(state, decision, seq, at).model_copy(update={"seq": seq})


def _changed(  # noqa: C901, PLR0912 - one case a kind
    state: State, decision: Decision, seq: int, at: float
) -> State:
    match decision:
        case ExperimentStarted() | ExperimentEnded():
            return _experiment(state, decision, seq, at)
        case Installed():
            return _installed(state, decision, seq)
        case CandidateAdded():
            return _added(state, decision, seq)
        case WindowOpened():
            return _opened(state, decision, seq, at)
        case Reallocated():
            return reallocated(state, decision, seq)
        case WindowClosed():
            return _closed(state, decision, seq, at)
        case Nominated():
            return ramp.nominated(state, decision, seq, at)
        case RampStepped():
            return ramp.stepped(state, decision, seq)
        case Promoted():
            return ramp.promoted(state, decision, seq, at)
        case RolledBack():
            return ramp.rolled_back(state, decision, seq, at)
        case HoldbackNarrowed():
            return ramp.holdback_narrowed(state, decision, seq)
        case HoldbackClosed():
            return ramp.holdback_closed(state, decision, seq, at)
        case _:  # pragma: no cover
            assert_never(decision)


def _experiment(
    state: State, decision: ExperimentStarted | ExperimentEnded, seq: int, at: float
) -> State:
    known = state.experiments.get(decision.experiment)
    if isinstance(decision, ExperimentEnded):
        going_on = _going_on(known, decision.experiment, seq)
        return state.with_experiment(going_on.model_copy(update={"ended": decision.reason}))
    require(known is None or known.ended is not None, seq, "the experiment goes on already")
    workflow = workflow_of(state, decision.workflow, seq).with_launched(decision.experiment, 0)
    return state.with_workflow(workflow).with_experiment(
        ExperimentState(
            name=decision.experiment,
            workflow=decision.workflow,
            config=decision.config,
            seed=decision.seed,
            started_at=at,
            focus=decision.focus,
        )
    )


def _installed(state: State, decision: Installed, seq: int) -> State:
    baseline = decision.baseline
    split = Split(
        workflow=decision.workflow,
        version=seq,
        layout=seq,
        baseline=baseline.hash,
        holdout=_holdout(decision),
    )
    known = state.workflows.get(decision.workflow)
    if known is None:
        fresh = WorkflowState(
            name=decision.workflow,
            configs={seq: decision.workflow_config},
            made_of={baseline.hash: seq},
            baseline=baseline.hash,
            variants={baseline.hash: baseline},
            splits={seq: split},
        )
        return state.with_workflow(fresh)
    require(not known.open_windows, seq, "the workflow has open windows")
    again = known.with_variant(baseline).model_copy(
        update={
            "configs": {**known.configs, seq: decision.workflow_config},
            "made_of": {**known.made_of, baseline.hash: seq},
            "baseline": baseline.hash,
            "previous": known.previous if known.baseline == baseline.hash else known.baseline,
            "splits": {**known.splits, seq: split},
        }
    )
    return state.with_workflow(again)


def _holdout(decision: Installed) -> Holdout | None:
    """The units that keep what is installed now; another installation begins them anew."""
    part = decision.workflow_config.get("holdout", 0.0)
    share = round(part * BUCKETS) if isinstance(part, int | float) else 0
    return Holdout(variant=decision.baseline.hash, share=share) if share else None


def _added(state: State, decision: CandidateAdded, seq: int) -> State:
    known = experiment_of(state, decision.experiment, decision.workflow, seq)
    _going_on(known, decision.experiment, seq)
    require(decision.changes not in known.added, seq, "the candidate was added already")
    added = (*known.added, decision.changes)
    return state.with_experiment(known.model_copy(update={"added": added}))


def _opened(state: State, decision: WindowOpened, seq: int, at: float) -> State:
    workflow = workflow_of(state, decision.workflow, seq)
    experiment = experiment_of(state, decision.experiment, decision.workflow, seq)
    _going_on(experiment, decision.experiment, seq)
    window = Window(
        id=decision.window,
        kind="trial",
        trial=decision.trial,
        experiment=decision.experiment,
        workflow=decision.workflow,
        candidate=decision.candidate.hash,
        baseline=decision.baseline,
        share=decision.share,
        lane=decision.lane,
        alpha=decision.alpha,
        f0=decision.f0,
        expected=decision.expected,
        lease_s=decision.lease_s,
        continues=decision.continues,
        opened_seq=seq,
        opened_at=at,
        stepped_seq=seq,
    )
    check_opening(state, window, seq)
    workflow = made_room(workflow, window.lane)
    check_lanes(workflow, window, seq)
    check_chain(workflow, window, seq)
    own = {one.trial for one in workflow.windows.values() if one.experiment == experiment.name}
    launched = workflow.launched.get(experiment.name, 0) + (window.trial not in own)
    workflow = workflow.with_variant(decision.candidate).with_window(window)
    workflow = workflow.with_launched(experiment.name, launched)
    spent = experiment.model_copy(
        update={
            "windows": (*experiment.windows, window.id),
            "paid": {**experiment.paid, window.id: len(experiment.promoted)},
        }
    )
    changed = state.with_workflow(workflow.split_again(seq, new_layout=True))
    return changed.with_experiment(spent)


def _closed(state: State, decision: WindowClosed, seq: int, at: float) -> State:
    workflow, window = open_window(state, decision.window, seq)
    workflow = workflow.with_window(window.closed(seq, at, decision.verdict))
    return state.with_workflow(workflow.split_again(seq, new_layout=True))


def _going_on(experiment: ExperimentState | None, name: str, seq: int) -> ExperimentState:
    if experiment is None or experiment.ended is not None:
        raise LedgerCorruptError(seq, f"experiment {name} is not going on")
    return experiment
