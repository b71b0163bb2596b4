"""How much of a latency margin is spent since a person last said what is quick enough."""

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType

from engine.experiment.state import WorkflowState
from engine.experiment.window import Window

NOTHING: Mapping[str, float] = MappingProxyType({})


def latency_spent(
    workflow: WorkflowState,
    window: Window,
    allowed: float,
    tightened: Mapping[str, float] = NOTHING,
) -> float:
    """The upper bound of the ratio between the pair's baseline and the anchor.

    The anchor is the variant that a person installed or put in force; each promotion on evidence
    since then multiplies by its own upper bound, so margins never compound. A promotion without
    the figure counts as ``allowed``, which is the most that its guardrail let through.
    ``tightened`` holds newer bounds by the id of the ramp: a holdback goes on measuring.
    """
    present = window.candidate if window.kind == "holdback" else window.baseline
    return spent_by(workflow, present, window.opened_seq, allowed, tightened)


def spent_by(
    workflow: WorkflowState,
    present: str,
    before: int,
    allowed: float,
    tightened: Mapping[str, float] = NOTHING,
) -> float:
    """The same of the variant that was the baseline at an entry of the ledger."""
    spent = 1.0
    while (entered := _entered(workflow, present, before)) is not None:
        closed = [one for one in workflow.windows.values() if one.closed_seq == entered]
        ramp = next((one for one in closed if _promoted(one, present)), None)
        if ramp is not None:
            spent *= tightened.get(ramp.id, _bound(ramp, allowed))
            present = ramp.baseline
        elif not any(_returned(one, present) for one in closed):
            break
        before = entered - 1
    return spent


def promotions(workflow: WorkflowState) -> tuple[tuple[Window, Window | None], ...]:
    """Every ramp that ended in a promotion, with the holdback that followed it."""
    holdbacks = {one.opened_seq: one for one in workflow.windows.values() if one.kind == "holdback"}
    return tuple(
        (one, holdbacks.get(one.closed_seq or 0))
        for one in workflow.windows.values()
        if one.kind == "ramp" and _ended(one, "promote")
    )


def _entered(workflow: WorkflowState, variant: str, upto: int) -> int | None:
    """The newest entry, up to this one, that made a variant the baseline in another's place."""
    versions = sorted(workflow.splits)
    changes = [
        later
        for earlier, later in pairwise(versions)
        if later <= upto
        and workflow.splits[later].baseline == variant != workflow.splits[earlier].baseline
    ]
    return changes[-1] if changes else None


def _promoted(window: Window, variant: str) -> bool:
    """Whether this window ended with the variant's promotion on evidence."""
    return window.kind == "ramp" and window.candidate == variant and _ended(window, "promote")


def _returned(window: Window, variant: str) -> bool:
    """Whether this window ended with the variant's return, because its successor was worse."""
    return window.kind == "holdback" and window.candidate == variant and _ended(window, "rollback")


def _ended(window: Window, action: str) -> bool:
    return window.verdict is not None and window.verdict.action == action


def _bound(ramp: Window, allowed: float) -> float:
    """What the promotion's verdict says that the ratio is at most."""
    figures = {} if ramp.verdict is None else ramp.verdict.figures
    proved = figures.get("latency_margin") or allowed
    return min(figures.get("latency_ratio_high") or proved, proved)
