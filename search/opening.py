"""What a trial may do before it has a window: open one, wait for room, or end without one."""

from dataclasses import dataclass

from engine.config.experiment import Experiment, space_of
from engine.errors import LedgerCorruptError
from engine.experiment.entries import Reallocated, WindowClosed, WindowOpened
from engine.experiment.expected import Expected
from engine.experiment.split import BUCKETS
from engine.experiment.state import ExperimentState, State, WorkflowState
from engine.experiment.variant import Variant
from engine.experiment.verdict import Evidence, Verdict
from engine.experiment.window import Window
from engine.stats.alpha import Spent, next_alpha, returned
from search.frozen import NO_HISTORY
from search.room import room_made, trials_of

UNFIT = frozenset({"harm", "errors"})
"""Causes after which a candidate is never tried again against the same baseline."""
CONCLUDED = UNFIT | {"srm", "latency", "futility", "budget", "rule"}
"""Causes for which the evidence is in: going on with it would only repeat the verdict."""
RETURNING = CONCLUDED - {"srm"}
"""Causes after which what is left of a window's level goes back to the alpha budget: it never goes
on, and its evidence counts. Units that do not follow the split are no evidence."""


@dataclass(frozen=True)
class Proposal:
    """What one trial wants to try."""

    trial: str
    candidate: Variant
    experiment: Experiment
    f0: float = NO_HISTORY
    """The baseline's mean score so far."""
    expected: Expected | None = None
    """The same by segment."""
    measured: Evidence | None = None
    """Which facts that mean was measured on."""


@dataclass(frozen=True)
class NoRoom:
    """The windows are full, or a ramp goes on: ask again later."""


@dataclass(frozen=True)
class Over:
    """The trial has ended, with a window's verdict or without any window."""

    action: str
    cause: str
    window: Window | None = None


Opening = WindowOpened | WindowClosed | Reallocated | NoRoom | Over


def opening(state: State, proposal: Proposal) -> Opening:
    """The next thing that a trial without an open window does.

    A trial that Tune started again finds the window of its earlier life: an open one has lapsed
    and is closed, a lapsed one is continued, and any other verdict stands.
    """
    experiment = proposal.experiment
    known = state.experiments.get(experiment.experiment)
    if known is None or known.ended is not None:
        return Over("stop", "ended")
    workflow = state.workflow(known.workflow)
    own = _own_window(workflow, proposal)
    if own is not None and own.is_open:
        return lapsed(own, f"trial {proposal.trial} goes on in a new window")
    if own is not None and not _has_lapsed(own):
        return ended_with(own)
    before = _latest_of_pair(workflow, proposal.candidate.hash)
    if (refused := _refusal(workflow, known, proposal, before)) is not None:
        return refused
    if not has_room(workflow, experiment):
        return NoRoom()
    if (room := room_made(workflow, experiment)) is not None:
        return room
    if before is not None and not _is_in_budget(before, known):
        before = None
    return _opened(state.seq + 1, workflow, known, proposal, before)


def has_room(workflow: WorkflowState, experiment: Experiment) -> bool:
    """Whether one more trial may open a window now."""
    trials = trials_of(workflow, experiment.experiment)
    return workflow.ramp is None and len(trials) < experiment.windows.concurrent


def lapsed(window: Window, why: str) -> WindowClosed:
    """Close a window whose trial no longer renews its lease."""
    verdict = Verdict(action="stop", cause="ended", reason=f"the lease lapsed; {why}")
    return WindowClosed(window=window.id, verdict=verdict)


def ended_with(window: Window) -> Over:
    """How a trial ends whose window is closed."""
    verdict = window.verdict
    if verdict is None:
        raise LedgerCorruptError(window.closed_seq or 0, f"{window.id} closed without a verdict")
    action = "superseded" if verdict.cause == "superseded" else verdict.action
    return Over("stop" if action == "rollback" else action, verdict.cause, window)


def level_of(workflow: WorkflowState, known: ExperimentState, experiment: Experiment) -> float:
    """The level of the experiment's next trial, among those that are left since a promotion.

    Windows that continue an earlier one of the same pair spend nothing; what the evidence of one
    that has ended for good left of its level is there again.

    Raises:
        ConfigError: The budget is spent.
    """
    if experiment.alpha_mode == "fdr":
        paid = [(workflow.windows[id_], before) for id_, before in known.paid.items()]
        every = [Spent(window.alpha, before) for window, before in paid if not window.continues]
        return next_alpha(every, alpha=experiment.alpha, promotions=len(known.promoted))
    since = [workflow.windows[id_] for id_ in known.windows]
    newest = {(*window.continues, window.id)[0]: window for window in since}
    spent = [
        Spent(window.alpha, 0, _returned(newest[window.id], experiment))
        for window in since
        if not window.continues
    ]
    before = workflow.launched.get(known.name, 0) - len({window.trial for window in since})
    left = experiment.windows.max_trials - max(before, 0)
    return next_alpha(spent, alpha=experiment.alpha, horizon=max(left, 1))


def _returned(window: Window, experiment: Experiment) -> float:
    """What came back of a window's level; planned looks have no evidence that could say."""
    verdict = window.verdict
    if verdict is None or verdict.cause not in RETURNING or experiment.policy != "trimtab":
        return 0.0
    log_e = verdict.figures.get("log_e")
    return 0.0 if log_e is None else returned(window.alpha, log_e)


def _refusal(
    workflow: WorkflowState, known: ExperimentState, proposal: Proposal, before: Window | None
) -> Over | None:
    """Why the candidate is not tried at all; `before` is the pair's latest window."""
    candidate = proposal.candidate
    if candidate.hash == workflow.baseline:
        return Over("stop", "duplicate")
    if space_of(proposal.experiment).forbids(candidate.settings):
        return Over("stop", "forbidden")
    if (worse := _rolled_back(workflow, candidate.hash)) is not None:
        return Over("stop", "duplicate", worse)
    if before is not None and _is_settled(before, known):
        return Over("stop", "duplicate", before)
    return None


def _opened(
    seq: int,
    workflow: WorkflowState,
    known: ExperimentState,
    proposal: Proposal,
    before: Window | None,
) -> WindowOpened:
    """A window with a level of its own, or one that continues the pair's evidence at its level.

    The frozen mean goes on with the evidence: another one would be a choice made after looking.
    """
    windows = proposal.experiment.windows
    share = round(windows.share * BUCKETS)
    fresh = WindowOpened(
        window=f"w{seq}-{proposal.trial}",
        trial=proposal.trial,
        experiment=proposal.experiment.experiment,
        workflow=workflow.name,
        candidate=proposal.candidate,
        baseline=workflow.baseline,
        share=share,
        lane=share,
        alpha=level_of(workflow, known, proposal.experiment),
        f0=proposal.f0,
        expected=proposal.expected,
        lease_s=windows.lease_s,
        measured=proposal.measured,
    )
    if before is None:
        return fresh
    chain = (*before.continues, before.id)
    kept = {
        "alpha": before.alpha,
        "f0": before.f0,
        "expected": before.expected,
        "measured": None,
    }
    return fresh.model_copy(update={**kept, "continues": chain})


def _own_window(workflow: WorkflowState, proposal: Proposal) -> Window | None:
    own = [w for w in workflow.windows.values() if w.trial == proposal.trial and w.kind == "trial"]
    return own[-1] if own else None


def _latest_of_pair(workflow: WorkflowState, candidate: str) -> Window | None:
    pair = [
        window
        for window in workflow.windows.values()
        if window.kind != "holdback"
        and (window.candidate, window.baseline) == (candidate, workflow.baseline)
    ]
    return pair[-1] if pair else None


def _rolled_back(workflow: WorkflowState, candidate: str) -> Window | None:
    """The holdback that found this candidate worse than the present baseline."""
    for window in workflow.windows.values():
        pair = (window.kind, window.baseline, window.candidate)
        was_worse = window.verdict is not None and window.verdict.action == "rollback"
        if was_worse and pair == ("holdback", candidate, workflow.baseline):
            return window
    return None


def _has_lapsed(window: Window) -> bool:
    return window.verdict is not None and window.verdict.cause == "ended"


def _is_settled(window: Window, known: ExperimentState) -> bool:
    """Whether a pair is being tried elsewhere now, or its evidence has said what it can."""
    if window.is_open or window.verdict is None:
        return True
    cause = window.verdict.cause
    return cause in UNFIT or (cause in CONCLUDED and _is_in_budget(window, known))


def _is_in_budget(window: Window, known: ExperimentState) -> bool:
    """Whether the present alpha budget paid for this window's test, so that it may go on."""
    return (*window.continues, window.id)[0] in known.windows
