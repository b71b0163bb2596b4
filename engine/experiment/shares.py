"""How the traffic of open trials is shared anew while their evidence goes on."""

from collections.abc import Mapping

from engine.experiment.entries import Reallocated
from engine.experiment.lawful import experiment_of, require, workflow_of
from engine.experiment.split import BUCKETS
from engine.experiment.state import State, WorkflowState
from engine.experiment.window import Window

LEAST = 5_000
"""Buckets that an open trial keeps: with less it would hardly ever learn anything."""
HEADROOM = 2
"""How many times its share a redrawn lane is wide, so that most later changes fit."""


def reallocated(state: State, decision: Reallocated, seq: int) -> State:
    """The open trials with their new shares.

    Where every share fits its lane the layout is kept, so no unit moves between two candidates;
    otherwise lanes are drawn anew under another salt.
    """
    workflow = workflow_of(state, decision.workflow, seq)
    experiment_of(state, decision.experiment, decision.workflow, seq)
    _check(workflow, decision, seq)
    fits = all(share <= workflow.windows[id_].lane for id_, share in decision.shares.items())
    for id_, share in decision.shares.items():
        window = workflow.windows[id_]
        changed = {"share": share, "lane": max(window.lane, share), "stepped_seq": seq}
        workflow = workflow.with_window(window.model_copy(update=changed))
    if not fits:
        workflow = _redrawn(workflow)
    lanes = sum(window.lane for window in workflow.open_windows)
    require(lanes < BUCKETS, seq, "the shares leave the baseline nothing")
    return state.with_workflow(workflow.split_again(seq, new_layout=not fits))


def made_room(workflow: WorkflowState, lane: int) -> WorkflowState:
    """The workflow with room for one more lane: where it is needed, trials lose their headroom.

    The newcomer draws a new layout anyway, so a narrower lane moves no unit that stays.
    """
    taken = sum(window.lane for window in workflow.open_windows)
    if taken + lane < BUCKETS:
        return workflow
    return _with_lanes(workflow, {one.id: one.share for one in _trials(workflow)})


def _check(workflow: WorkflowState, decision: Reallocated, seq: int) -> None:
    own = {one.id: one.share for one in _trials(workflow) if one.experiment == decision.experiment}
    strangers = sorted(decision.shares.keys() - own.keys())
    why = f"{', '.join(strangers)}: no open trial of {decision.experiment}"
    require(not strangers, seq, why)
    changes = [share != own[id_] for id_, share in decision.shares.items()]
    require(bool(changes) and all(changes), seq, "no share changes, or not every one named")
    least = min(decision.shares.values())
    require(least >= LEAST, seq, f"a share of {least} is below the least, {LEAST}")
    total = sum((own | decision.shares).values())
    require(total <= decision.cap, seq, f"the shares take {total}; the cap is {decision.cap}")


def _redrawn(workflow: WorkflowState) -> WorkflowState:
    """Every trial's lane as wide as its headroom wants, within half of what is free."""
    trials = _trials(workflow)
    shares = sum(one.share for one in trials)
    others = sum(one.lane for one in workflow.open_windows) - sum(one.lane for one in trials)
    room = min(shares * HEADROOM, (BUCKETS - others) // 2)
    lanes = {one.id: max(one.share, one.share * room // shares) for one in trials}
    return _with_lanes(workflow, lanes)


def _with_lanes(workflow: WorkflowState, lanes: Mapping[str, int]) -> WorkflowState:
    for id_, lane in lanes.items():
        window = workflow.windows[id_]
        workflow = workflow.with_window(window.model_copy(update={"lane": lane}))
    return workflow


def _trials(workflow: WorkflowState) -> tuple[Window, ...]:
    return tuple(one for one in workflow.open_windows if one.kind == "trial")
