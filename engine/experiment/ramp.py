"""From a nomination to a promotion, and the way back."""

from engine.errors import LedgerCorruptError
from engine.experiment.entries import (
    HoldbackClosed,
    HoldbackNarrowed,
    Nominated,
    Promoted,
    RampStepped,
    RolledBack,
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
from engine.experiment.split import BUCKETS
from engine.experiment.state import State, WorkflowState
from engine.experiment.verdict import Verdict
from engine.experiment.window import Window


def nominated(state: State, decision: Nominated, seq: int, at: float) -> State:
    """Every other window closes, because its baseline is about to change; one lane remains."""
    workflow = workflow_of(state, decision.workflow, seq)
    experiment_of(state, decision.experiment, decision.workflow, seq)
    require(decision.candidate in workflow.variants, seq, "the candidate is unknown")
    ramp = Window(
        id=decision.window,
        kind="ramp",
        trial=decision.trial,
        experiment=decision.experiment,
        workflow=decision.workflow,
        candidate=decision.candidate,
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
    check_opening(state, ramp, seq)
    for window in workflow.open_windows:
        verdict = decision.verdict
        if window.id not in decision.continues:
            reason = f"{decision.candidate} was nominated; this window's baseline changes"
            verdict = Verdict(action="stop", cause="superseded", reason=reason)
        workflow = workflow.with_window(window.closed(seq, at, verdict))
    check_lanes(workflow, ramp, seq)
    check_chain(workflow, ramp, seq)
    return state.with_workflow(workflow.with_window(ramp).split_again(seq, new_layout=True))


def stepped(state: State, decision: RampStepped, seq: int) -> State:
    """The share grows within its lane: units only move from the baseline to the candidate."""
    workflow, window = open_window(state, decision.window, seq)
    require(window.kind == "ramp", seq, "only a ramp has steps")
    require(window.share < decision.share <= window.lane, seq, "a step widens within its lane")
    wider = window.model_copy(update={"share": decision.share, "stepped_seq": seq})
    return state.with_workflow(workflow.with_window(wider).split_again(seq, new_layout=False))


def promoted(state: State, decision: Promoted, seq: int, at: float) -> State:
    """The variant becomes the baseline; after a ramp no unit leaves it for the one before."""
    workflow = workflow_of(state, decision.workflow, seq)
    require(decision.before == workflow.baseline, seq, "the baseline is another one by now")
    require(decision.after in workflow.variants, seq, "the promoted variant is unknown")
    require(decision.after != decision.before, seq, "the variant is the baseline already")
    require(0 <= decision.holdback < BUCKETS, seq, "the holdback leaves the baseline nothing")
    ramped = decision.window is not None
    if ramped:
        _check_ramped(workflow, decision, seq)
    workflow = _all_closed(workflow, decision, seq, at)
    workflow = workflow.model_copy(update={"baseline": decision.after, "previous": decision.before})
    if decision.holdback:
        workflow = workflow.with_window(_holdback(workflow, decision, seq, at))
    changed = state.with_workflow(workflow.split_again(seq, new_layout=not ramped))
    if decision.experiment is None:
        return changed
    experiment = experiment_of(state, decision.experiment, decision.workflow, seq)
    known = (*experiment.promoted, decision.after)
    # A promotion ends the span that the alpha budget covers: its launches are spent and done.
    return changed.with_experiment(experiment.model_copy(update={"windows": (), "promoted": known}))


def rolled_back(state: State, decision: RolledBack, seq: int, at: float) -> State:
    """Another variant takes the baseline's place at once, with all the traffic."""
    workflow = workflow_of(state, decision.workflow, seq)
    require(decision.before == workflow.baseline, seq, "the baseline is another one by now")
    require(decision.after in workflow.variants, seq, "the variant to return to is unknown")
    require(decision.after != decision.before, seq, "the variant is the baseline already")
    workflow = _all_closed(workflow, decision, seq, at)
    workflow = workflow.model_copy(update={"baseline": decision.after, "previous": decision.before})
    return state.with_workflow(workflow.split_again(seq, new_layout=True))


def holdback_narrowed(state: State, decision: HoldbackNarrowed, seq: int) -> State:
    """The former baseline keeps the leading part of its lane; its other units follow the rest."""
    workflow, window = open_window(state, decision.window, seq)
    require(window.kind == "holdback", seq, "only a holdback is narrowed")
    require(0 < decision.share < window.share, seq, "a holdback only gets narrower")
    narrower = window.model_copy(update={"share": decision.share, "stepped_seq": seq})
    return state.with_workflow(workflow.with_window(narrower).split_again(seq, new_layout=False))


def holdback_closed(state: State, decision: HoldbackClosed, seq: int, at: float) -> State:
    """The promotion stands; the former baseline gets no more traffic."""
    workflow = workflow_of(state, decision.workflow, seq)
    holdback = workflow.holdback
    if holdback is None:
        raise LedgerCorruptError(seq, "there is no holdback to close")
    verdict = decision.verdict or _by_operator(decision.reason)
    workflow = workflow.with_window(holdback.closed(seq, at, verdict))
    return state.with_workflow(workflow.split_again(seq, new_layout=True))


def _check_ramped(workflow: WorkflowState, decision: Promoted, seq: int) -> None:
    """The layout is kept, so the holdback must not take units that have met the candidate."""
    ramp = workflow.ramp
    if ramp is None or ramp.id != decision.window:
        raise LedgerCorruptError(seq, f"{decision.window} is not the open ramp")
    require(ramp.candidate == decision.after, seq, "the ramp is another variant's")
    require(ramp.share + decision.holdback <= BUCKETS, seq, "the holdback reaches into the ramp")


def _all_closed(
    workflow: WorkflowState, decision: Promoted | RolledBack, seq: int, at: float
) -> WorkflowState:
    verdict = decision.verdict or _by_operator(decision.reason)
    for window in workflow.open_windows:
        workflow = workflow.with_window(window.closed(seq, at, verdict))
    return workflow


def _by_operator(reason: str) -> Verdict:
    return Verdict(action="stop", cause="operator", reason=reason)


def _holdback(workflow: WorkflowState, decision: Promoted, seq: int, at: float) -> Window:
    return Window(
        id=f"holdback-{seq}",
        kind="holdback",
        experiment=decision.experiment or "",
        workflow=workflow.name,
        candidate=decision.before,
        baseline=decision.after,
        share=decision.holdback,
        lane=decision.holdback,
        opened_seq=seq,
        opened_at=at,
        stepped_seq=seq,
    )
