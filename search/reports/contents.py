"""Everything that a report of an experiment says, gathered from the two books."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

from scipy.special import ndtri

from engine.books.ledger import Entry
from engine.config.experiment import Experiment
from engine.errors import NotFoundError, UnmeasuredError
from engine.evidence.measure import Facts
from engine.experiment.decide import Figures, figures_of
from engine.experiment.state import ExperimentState, State, WorkflowState
from engine.experiment.variant import differences
from engine.experiment.window import Window
from engine.stats.estimate import Estimate
from engine.stats.interval import Interval
from engine.stats.ratio import compared
from engine.stats.sample import Sample
from engine.stats.shrink import shrunk_lift
from search.assess import pair_of, rules_of, sample_of
from search.books import Decisions, FactsFollower
from search.explain import Explained, explain
from search.reports.parts import by_segment, slowest
from search.reports.series import Point, ShareSpan, evidence_series, narrowed, share_series
from search.telling import Changes
from search.words import verdict_in_words

TIMED = 20
"""Units a side before a latency is shown."""
WIDE = float(ndtri(0.975))


@dataclass(frozen=True)
class Tried:
    """One window: what was tried in it, and how it fared by its end."""

    window: Window
    changes: Changes
    figures: Figures
    latency: Interval | None
    """The candidate's geometric mean seconds."""
    baseline_latency_s: float | None
    tail: Interval | None
    """The candidate's 95th percentile over the baseline's, at every look at once."""
    by_segment: Mapping[str, Estimate]
    """How the candidate compares in each segment where both sides are rated."""
    points: tuple[Point, ...]
    words: str

    @property
    def needed(self) -> float | None:
        """The log e at which it would be promoted; None in a holdback."""
        return log(1.0 / self.window.alpha) if self.window.alpha else None

    @property
    def candidate(self) -> str:
        """The variant that the figures are about: in a holdback, the promoted one."""
        return self.window.baseline if self.window.kind == "holdback" else self.window.candidate


@dataclass(frozen=True)
class Promotion:
    """The change that the experiment made."""

    before: str
    after: str
    changes: Changes
    nomination: Figures
    expected_lift: float | None
    """The lift to expect, given that the winner was picked partly for its luck."""
    rolled_back: str | None
    """Why it was taken back, if it was."""


@dataclass(frozen=True)
class Contents:
    """A report before it is written down."""

    experiment: Experiment
    state: ExperimentState
    workflow: WorkflowState
    started_at: float
    until: float
    head: Entry
    requests: int
    tried: tuple[Tried, ...]
    shares: tuple[ShareSpan, ...]
    decisions: tuple[Explained, ...]
    promotion: Promotion | None
    alpha_spent: float
    extra: Mapping[str, Any]

    @property
    def trials(self) -> tuple[Tried, ...]:
        """The windows of candidates, without holdbacks."""
        return tuple(one for one in self.tried if one.window.kind != "holdback")


def gather(root: Path, experiment: str, extra: Mapping[str, Any]) -> Contents:
    """Read the two books and measure every window of an experiment's newest start again.

    Raises:
        NotFoundError: The experiment was never started.
    """
    decisions = Decisions(root)
    try:
        entries = decisions.ledger.read()
        state = decisions.state()
    finally:
        decisions.close()
    known = state.experiments.get(experiment)
    if known is None:
        names = ", ".join(sorted(state.experiments)) or "none"
        raise NotFoundError(f"experiment {experiment!r} was never started; started: {names}")
    follower = FactsFollower(root)
    return _gathered(state, known, entries, follower, extra)


def _gathered(
    state: State,
    known: ExperimentState,
    entries: Sequence[Entry],
    follower: FactsFollower,
    extra: Mapping[str, Any],
) -> Contents:
    facts = follower.follow()
    config = Experiment.model_validate(known.config)
    workflow = state.workflow(known.workflow)
    own = [entry for entry in entries if entry.body.get("experiment") == known.name]
    start = next(entry for entry in reversed(own) if entry.kind == "ExperimentStarted")
    windows = [
        window
        for window in workflow.windows.values()
        if window.experiment == known.name and window.opened_seq > start.seq
    ]
    until = max(own[-1].at, follower.settled_at())
    if known.ended is not None and not any(window.is_open for window in windows):
        until = max([own[-1].at, *(window.closed_at or 0.0 for window in windows)])
    tried = tuple(_tried(workflow, config, window, facts, until) for window in windows)
    seen = facts.exposures["at"].is_between(start.at, until)
    times = {entry.seq: entry.at for entry in entries}
    return Contents(
        experiment=config,
        state=known,
        workflow=workflow,
        started_at=start.at,
        until=until,
        head=entries[-1],
        requests=int(seen.sum()),
        tried=tried,
        shares=tuple(share_series(workflow, times, after=start.seq, until=until)),
        decisions=tuple(one for one in explain(entries, known.name) if one.seq >= start.seq),
        promotion=_promotion(workflow, own, tried, entries, start.seq),
        alpha_spent=sum(w.alpha for w in windows if w.kind == "trial" and not w.continues),
        extra=extra,
    )


def _tried(
    workflow: WorkflowState, config: Experiment, window: Window, facts: Facts, until: float
) -> Tried:
    pair = pair_of(workflow, window)
    own = narrowed(facts, pair)
    end = _end_of(window, until)
    rules = rules_of(config, window, high_risk=False)
    sample, _ = sample_of(own, pair, config, upto=0, now=end, rules=rules)
    if window.kind == "holdback":
        rules = rules.model_copy(update={"alpha": config.alpha})
    recorded = window.verdict.figures if window.verdict and window.kind == "trial" else {}
    points = evidence_series(workflow, config, window, own, until=end)
    latency, baseline_latency_s = _latency(sample)
    variants = workflow.variants
    return Tried(
        window=window,
        changes=differences(variants[window.baseline], variants[window.candidate]),
        figures=recorded or figures_of(sample, rules),
        latency=latency,
        baseline_latency_s=baseline_latency_s,
        tail=slowest(own, pair, config, now=end),
        by_segment=by_segment(own, pair, config, window, now=end),
        points=() if window.kind == "holdback" else tuple(points),
        words=_words(window),
    )


def _end_of(window: Window, until: float) -> float:
    """The time that the window's last verdict looked at, or that it closed, or now."""
    if window.verdict is not None and window.verdict.evidence is not None:
        return window.verdict.evidence.now
    return until if window.closed_at is None else window.closed_at


def _words(window: Window) -> str:
    if window.verdict is None:
        return "It is still open."
    if window.kind == "ramp" and window.verdict.action == "promote":
        return "It became the baseline."
    return verdict_in_words(window.verdict, alpha=window.alpha)


def _latency(sample: Sample) -> tuple[Interval | None, float | None]:
    try:
        sides = compared(sample.latency, TIMED)
    except UnmeasuredError:
        return None, None
    half = WIDE * sqrt(sides.candidate.variance)
    mean = sides.candidate.mean
    seconds = Interval(low=exp(mean - half), high=exp(mean + half), estimate=exp(mean))
    return seconds, exp(sides.baseline.mean)


def _promotion(
    workflow: WorkflowState,
    own: Sequence[Entry],
    tried: Sequence[Tried],
    entries: Sequence[Entry],
    start: int,
) -> Promotion | None:
    promoted = [entry for entry in own if entry.kind == "Promoted" and entry.seq > start]
    if not promoted:
        return None
    last = promoted[-1]
    before, after = str(last.body["before"]), str(last.body["after"])
    nominated = [
        one.figures
        for one in tried
        if one.window.candidate == after
        and one.window.verdict is not None
        and (one.window.kind, one.window.verdict.action) == ("trial", "promote")
    ]
    back = [
        str(entry.body["reason"])
        for entry in entries
        if entry.kind == "RolledBack"
        and entry.seq > last.seq
        and entry.body["workflow"] == workflow.name
        and entry.body["before"] == after
    ]
    nomination = nominated[-1] if nominated else {}
    return Promotion(
        before=before,
        after=after,
        changes=differences(workflow.variants[before], workflow.variants[after]),
        nomination=nomination,
        expected_lift=_expected(
            nomination, [one.figures for one in tried if one.window.kind == "trial"]
        ),
        rolled_back=back[0] if back else None,
    )


def _expected(winner: Figures, every: Sequence[Figures]) -> float | None:
    own = _estimate(winner)
    if own is None:
        return None
    among = [estimated for figures in every if (estimated := _estimate(figures)) is not None]
    return shrunk_lift(own, among)


def _estimate(figures: Figures) -> Estimate | None:
    names = ("lift", "se", "candidate_mean", "baseline_mean")
    values = [figures.get(name) for name in names]
    if any(value is None for value in values):
        return None
    lift, se, candidate, baseline = (float(value) for value in values if value is not None)
    units = int(figures.get("candidate_units") or 0), int(figures.get("baseline_units") or 0)
    return Estimate(lift, se, candidate, baseline, *units)
