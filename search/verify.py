"""Computes every verdict, level and frozen mean again from the two books, and says what differs."""

import math
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.books.ledger import Ledger
from engine.config.experiment import Experiment
from engine.errors import TrimtabError
from engine.evidence.measure import Facts
from engine.experiment.entries import (
    Decision,
    HoldbackClosed,
    HoldbackNarrowed,
    Nominated,
    Promoted,
    RampStepped,
    Reallocated,
    RolledBack,
    WindowClosed,
    WindowOpened,
    decision_of,
)
from engine.experiment.expected import Expected
from engine.experiment.fold import after
from engine.experiment.state import State, WorkflowState
from engine.experiment.verdict import Evidence, Verdict
from engine.experiment.window import Window
from search.allocation import reallocation_mismatch
from search.assessed import assess_holdback, assess_step, assess_trial
from search.books import FactsFollower
from search.frozen import frozen
from search.opening import level_of

CLOSE = 1e-9
"""Two figures this near each other, in parts of the larger, are equal: machines round apart."""


@dataclass(frozen=True)
class Verified:
    """What was computed again."""

    entries: int
    """Entries whose hashes hold."""
    verdicts: int
    """Verdicts that rest on facts."""
    mismatches: tuple[str, ...]
    windows: int = 0
    """Openings whose level and frozen mean were checked."""

    @property
    def holds(self) -> bool:
        """Whether the two books tell one story."""
        return not self.mismatches


def verify(root: Path) -> Verified:
    """Check the chain of the ledger, then compute every verdict that rests on facts anew.

    Raises:
        LedgerCorruptError: The chain is broken, or an entry was not lawful.
        StoreCorruptError: A stored file can't be read.
    """
    ledger = Ledger(str(root / "ledger.db"))
    try:
        checked = ledger.check_chain()
        entries = ledger.read()
    finally:
        ledger.close()
    facts = FactsFollower(root).follow()
    state, verdicts, windows, mismatches = State(), 0, 0, []
    for entry in entries:
        decision = decision_of(entry)
        recorded = getattr(decision, "verdict", None)
        if isinstance(recorded, Verdict) and recorded.evidence is not None:
            verdicts += 1
            why = mismatch(state, decision, recorded, recorded.evidence, facts)
            if why is not None:
                mismatches.append(f"ledger: entry {entry.seq}, {entry.kind}: {why}")
        if isinstance(decision, WindowOpened) and not decision.continues:
            windows += 1
            why = opening_mismatch(state, decision, facts)
            if why is not None:
                mismatches.append(f"ledger: entry {entry.seq}, {entry.kind}: {why}")
        if isinstance(decision, Reallocated) and decision.evidence is not None:
            seen = _seen(facts, decision.evidence.upto)
            why = reallocation_mismatch(state, decision, decision.evidence, seen)
            if why is not None:
                mismatches.append(f"ledger: entry {entry.seq}, {entry.kind}: {why}")
        state = after(state, decision, seq=entry.seq, at=entry.at)
    return Verified(
        entries=checked, verdicts=verdicts, windows=windows, mismatches=tuple(mismatches)
    )


def mismatch(
    state: State, decision: Decision, recorded: Verdict, evidence: Evidence, facts: Facts
) -> str | None:
    """Why a recorded verdict does not follow from the books as they were; None if it does."""
    try:
        computed = _verdict(state, decision, evidence, _seen(facts, evidence.upto))
    except TrimtabError as error:
        return f"can't be computed again: {error}"
    return _difference(recorded, computed)


def opening_mismatch(state: State, decision: WindowOpened, facts: Facts) -> str | None:
    """Why a window's level or frozen mean does not follow from the books; None if both do.

    A window that continues another one takes both over, which the ledger's own laws see to.
    """
    known = state.experiments[decision.experiment]
    workflow = state.workflow(decision.workflow)
    try:
        experiment = Experiment.model_validate(known.config)
        level = level_of(workflow, known, experiment)
        if not _is_close(decision.alpha, level):
            return f"alpha is recorded as {decision.alpha!r}; the budget gives {level!r}"
        if decision.measured is None:
            return None
        upto, now = decision.measured.upto, decision.measured.now
        found = frozen(workflow, experiment, _seen(facts, upto), upto=upto, now=now)
    except (TrimtabError, ValueError) as error:
        return f"can't be computed again: {error}"
    if found.measured != decision.measured:
        return "the outcomes behind f0 are not the stored ones: their digest differs"
    if not _is_close(decision.f0, found.f0):
        return f"f0 is recorded as {decision.f0!r}; the books give {found.f0!r}"
    if not _are_close(decision.expected, found.expected):
        return f"expected is recorded as {decision.expected}; the books give {found.expected}"
    return None


def _verdict(state: State, decision: Decision, evidence: Evidence, facts: Facts) -> Verdict:
    workflow, window = _weighed(state, decision)
    experiment = Experiment.model_validate(state.experiments[window.experiment].config)
    assess = {"trial": assess_trial, "ramp": assess_step, "holdback": assess_holdback}[window.kind]
    return assess(workflow, experiment, window, facts, upto=evidence.upto, now=evidence.now)


def _weighed(state: State, decision: Decision) -> tuple[WorkflowState, Window]:
    """The window that a verdict weighed, in the state that it was weighed in."""
    match decision:
        case WindowClosed() | RampStepped() | HoldbackNarrowed() | Promoted(window=str()):
            window = state.window(str(decision.window))
        case Nominated():
            window = state.window(decision.continues[-1])
        case Promoted() | RolledBack() | HoldbackClosed():
            workflow = state.workflow(decision.workflow)
            open_ = workflow.ramp or workflow.holdback
            if open_ is None:
                raise TrimtabError("no window was open that its verdict could rest on")
            window = open_
        case _:
            raise TrimtabError("entries of this kind carry no verdict")
    return state.workflow(window.workflow), window


def _seen(facts: Facts, upto: int) -> Facts:
    """What the store held when it reached this catalogue number."""
    known = pl.col("batch") <= upto
    return Facts(
        facts.exposures.filter(known), facts.traces.filter(known), facts.feedback.filter(known)
    )


def _difference(recorded: Verdict, computed: Verdict) -> str | None:
    """The first thing that two verdicts disagree on, outcomes before figures before words."""
    if computed.evidence != recorded.evidence:
        return "the outcomes behind it are not the stored ones: their digest differs"
    for name in sorted(recorded.figures.keys() | computed.figures.keys()):
        said, found = recorded.figures.get(name), computed.figures.get(name)
        missing = (name in recorded.figures) != (name in computed.figures)
        if missing or not _is_close(said, found):
            return f"{name} is recorded as {said!r}; the books give {found!r}"
    if (recorded.action, recorded.cause) != (computed.action, computed.cause):
        return (
            f"recorded as {recorded.action} ({recorded.cause}); the figures give "
            f"{computed.action} ({computed.cause})"
        )
    return None


def _are_close(recorded: Expected | None, found: Expected | None) -> bool:
    if recorded is None or found is None:
        return recorded is found
    means = recorded.segments, found.segments
    return (
        means[0].keys() == means[1].keys()
        and all(_is_close(mean, means[1][name]) for name, mean in means[0].items())
        and _is_close(recorded.variance, found.variance)
    )


def _is_close(said: float | None, found: float | None) -> bool:
    if said is None or found is None:
        return said is found
    return math.isclose(said, found, rel_tol=CLOSE, abs_tol=CLOSE)
