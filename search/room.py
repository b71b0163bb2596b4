"""Room for one more candidate: who gives up how much traffic for it."""

from collections.abc import Mapping
from math import floor

from engine.config.experiment import Experiment
from engine.experiment.entries import Reallocated
from engine.experiment.shares import LEAST
from engine.experiment.split import BUCKETS
from engine.experiment.state import WorkflowState
from engine.experiment.window import Window


def room_made(workflow: WorkflowState, experiment: Experiment) -> Reallocated | None:
    """What the open trials give up so that another one fits; None where it does already.

    While a promising one has more than all usually have together, that goes on: a newcomer would
    else cost it the traffic that its proof needs.
    """
    windows = trials_of(workflow, experiment.experiment)
    taken = sum(one.share for one in windows)
    rounding = experiment.windows.concurrent
    usual, newcomer = buckets(experiment.windows.exploration_cap), buckets(experiment.windows.share)
    boosted = buckets(experiment.windows.most) - newcomer
    left = boosted if min(taken, boosted) > usual else usual - newcomer
    if taken <= left + rounding:
        return None
    shares = fitted({one.id: one.share * left / taken for one in windows}, left)
    return Reallocated(
        experiment=experiment.experiment,
        workflow=workflow.name,
        shares={one.id: shares[one.id] for one in windows if shares[one.id] != one.share},
        cap=buckets(experiment.windows.most),
        reason="one more candidate needs room",
    )


def fitted(wanted: Mapping[str, float], total: int) -> dict[str, int]:
    """Whole buckets near what is wanted, none below the least and together at most `total`.

    Where there is too little for everybody's least, everybody gets as much as the others.
    """
    if total < LEAST * len(wanted):
        return dict.fromkeys(wanted, total // len(wanted))
    shares = {id_: max(floor(share), LEAST) for id_, share in wanted.items()}
    while (excess := sum(shares.values()) - total) > 0:
        largest = max(shares, key=lambda id_: shares[id_])
        shares[largest] = max(shares[largest] - excess, LEAST)
    return shares


def trials_of(workflow: WorkflowState, experiment: str) -> tuple[Window, ...]:
    """The experiment's open trials, oldest first."""
    return tuple(
        one for one in workflow.open_windows if one.kind == "trial" and one.experiment == experiment
    )


def buckets(share: float) -> int:
    """A share of all traffic in buckets."""
    return round(share * BUCKETS)
