"""Decisions in their shortest form, and states told by them."""

from dataclasses import dataclass

from hypothesis import strategies as st
from pydantic import JsonValue

from engine.experiment.entries import (
    CandidateAdded,
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
)
from engine.experiment.fold import after, fold
from engine.experiment.shares import LEAST
from engine.experiment.split import BUCKETS, assign, epoch_of
from engine.experiment.state import State
from engine.experiment.variant import Variant
from engine.experiment.verdict import Verdict

NOON = 1_700_049_600.0
BASE = Variant.of({"llm.temperature": 0.2})
ANNE = Variant.of({"llm.temperature": 0.5})
BERT = Variant.of({"llm.temperature": 0.9})
NOBODY = "0123456789ab"
BETTER = Verdict(action="promote", cause="evidence", reason="proved better")
STOPPED = Verdict(action="stop", cause="futility", reason="no hope")


@dataclass(frozen=True)
class Line:
    """A line of a ledger that lies nowhere."""

    seq: int
    kind: str
    body: dict[str, JsonValue]
    at: float = NOON


def lines(*decisions):
    return [
        Line(seq, type(decision).__name__, decision.model_dump(mode="json"))
        for seq, decision in enumerate(decisions, start=1)
    ]


def told(*decisions):
    return fold(lines(*decisions))


def then(state, *decisions):
    for decision in decisions:
        state = after(state, decision, seq=state.seq + 1, at=NOON)
    return state


def installed(workflow="docs", baseline=BASE):
    return Installed(workflow=workflow, baseline=baseline, workflow_config={})


def started(experiment="exp", workflow="docs"):
    return ExperimentStarted(experiment=experiment, workflow=workflow, config={}, seed=0)


def ended(experiment="exp"):
    return ExperimentEnded(experiment=experiment, reason="all trials are done")


def added(**changes):
    usual = {"experiment": "exp", "workflow": "docs", "changes": {"llm.temperature": 0.3}}
    return CandidateAdded.model_validate(usual | changes)


def opened(window="w1", candidate=ANNE, share=100_000, **changes):
    usual = {
        "window": window,
        "trial": f"trial of {window}",
        "experiment": "exp",
        "workflow": "docs",
        "candidate": candidate,
        "baseline": BASE.hash,
        "share": share,
        "lane": share,
        "alpha": 0.01,
        "f0": 0.6,
        "lease_s": 10.0,
    }
    return WindowOpened.model_validate(usual | changes)


def reallocated(shares, **changes):
    usual = {
        "experiment": "exp",
        "workflow": "docs",
        "shares": shares,
        "cap": 400_000,
        "reason": "the better ones get more",
    }
    return Reallocated.model_validate(usual | changes)


def closed(window="w1", verdict=STOPPED):
    return WindowClosed(window=window, verdict=verdict)


def nominated(candidate=ANNE, continues=("w1",), **changes):
    usual = {
        "window": "r1",
        "trial": "t",
        "experiment": "exp",
        "workflow": "docs",
        "candidate": candidate.hash,
        "baseline": BASE.hash,
        "share": 250_000,
        "lane": 900_000,
        "alpha": 0.01,
        "f0": 0.6,
        "lease_s": 10.0,
        "continues": continues,
        "verdict": BETTER,
    }
    return Nominated.model_validate(usual | changes)


def stepped(share=900_000, window="r1"):
    return RampStepped(window=window, share=share, verdict=BETTER)


def promoted(after=ANNE, before=BASE, **changes):
    usual = {
        "workflow": "docs",
        "window": "r1",
        "before": before.hash,
        "after": after.hash,
        "holdback": 100_000,
        "experiment": "exp",
        "reason": "every step held",
        "verdict": BETTER,
    }
    return Promoted.model_validate(usual | changes)


def by_hand(after=ANNE, before=BASE, **changes):
    bare = {"window": None, "experiment": None, "verdict": None, "holdback": 0}
    return promoted(after, before, **(bare | changes))


def rolled_back(before=ANNE, after=BASE, **changes):
    usual = {"workflow": "docs", "before": before.hash, "after": after.hash, "reason": "worse"}
    return RolledBack.model_validate(usual | changes)


def holdback_narrowed(share=20_000, window="holdback-6"):
    stands = Verdict(action="continue", cause="undecided", reason="it stands")
    return HoldbackNarrowed(window=window, share=share, reason="long enough", verdict=stands)


def holdback_closed(**changes):
    return HoldbackClosed.model_validate({"workflow": "docs", "reason": "it held"} | changes)


BEGUN = (installed(), started())
TRIED = (*BEGUN, opened())
RAMPED = (*TRIED, nominated(), stepped())
KEPT = (*RAMPED, promoted())


def met(split, units=2_000, at=NOON):
    """The variant that each of many units meets."""
    epoch = epoch_of(split, at)
    return [assign(f"u{number}", split, epoch).variant for number in range(units)]


def lane_shares():
    return st.integers(1, 300_000).flatmap(
        lambda lane: st.tuples(st.integers(1, lane), st.just(lane))
    )


@st.composite
def ledgers(draw, most=10):
    """Decisions that follow from one another, of every kind."""
    decisions = list(BEGUN)
    state = told(*decisions)
    for number in range(draw(st.integers(0, most))):
        decision = draw(st.sampled_from(moves(state, number, *draw(lane_shares()))))
        decisions.append(decision)
        state = then(state, decision)
    return decisions


def moves(state: State, number, share, lane):
    """Every kind of decision that is lawful now, in one example each."""
    workflow = state.workflow("docs")
    trials = [window for window in workflow.open_windows if window.kind == "trial"]
    baseline = workflow.variants[workflow.baseline]
    fresh = Variant.of({"number": number})
    possible = [installed(baseline=fresh)] if not workflow.open_windows else []
    possible += [closed(window.id) for window in workflow.open_windows]
    possible += reallocations(workflow, trials, share)
    taken = sum(window.lane for window in workflow.open_windows)
    base = {"baseline": baseline.hash}
    if state.experiments["exp"].ended is not None:
        possible.append(started())
    else:
        possible += [ended(), added(changes={"number": number})]
        if workflow.ramp is None and taken + lane < BUCKETS:
            possible.append(opened(f"w{state.seq}", fresh, share, lane=lane, **base))
    possible += [
        nominated(workflow.variants[one.candidate], (one.id,), window=f"r{state.seq}", **base)
        for one in trials
    ]
    return possible + _later_moves(state, baseline, share, lane)


def reallocations(workflow, trials, share):
    """One trial at another share, where that is lawful."""
    others = sum(window.lane for window in workflow.open_windows)
    lawful = [one for one in trials if share >= LEAST and share != one.share]
    return [
        reallocated({one.id: share}, cap=BUCKETS)
        for one in lawful
        if others - one.lane + share < BUCKETS
    ]


def _later_moves(state, baseline, share, lane):
    workflow = state.workflow("docs")
    others = [one for one in workflow.variants.values() if one != baseline]
    possible = [by_hand(one, baseline, holdback=lane - share) for one in others]
    possible += [rolled_back(baseline, one) for one in others]
    if workflow.holdback is not None:
        possible.append(holdback_closed())
        held = workflow.holdback
        possible += [holdback_narrowed(held.share // 2, held.id)] if held.share > 1 else []
    ramp = workflow.ramp
    if ramp is not None:
        wider = ramp.share + share
        possible += [stepped(wider, ramp.id)] if wider <= ramp.lane else []
        nominee = workflow.variants[ramp.candidate]
        possible.append(promoted(nominee, baseline, window=ramp.id))
    return possible
