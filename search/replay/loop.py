"""The live loop on virtual time: the same fold, verdicts, levels and shares, other answers.

Nothing here decides anything: openings, verdicts, ramps and holdbacks are those of live traffic.
Outcomes are final on arrival, so nothing has to mature.
"""

from contextlib import suppress
from typing import Any

import numpy as np

from engine.config.experiment import Experiment
from engine.errors import UnmeasuredError
from engine.experiment.anchor import promotions, spent_by
from engine.experiment.decide import Figures, decide, decide_step, figures_of
from engine.experiment.entries import (
    Decision,
    ExperimentStarted,
    Installed,
    Nominated,
    Promoted,
    Reallocated,
    RolledBack,
    WindowClosed,
    WindowOpened,
)
from engine.experiment.fold import after
from engine.experiment.holdback import decide_holdback
from engine.experiment.looks import counts_of, look_figures
from engine.experiment.rules import Rules
from engine.experiment.split import BUCKETS, Split
from engine.experiment.state import State, WorkflowState
from engine.experiment.variant import Variant
from engine.experiment.window import Window
from engine.stats.tally import LEVELS
from search.allocation import is_worth_it, shares_of
from search.assess import highest_ratio, may_launch, rules_of
from search.assessed import against_rivals, longest_step, z_of
from search.frozen import expected_from, mean_from
from search.life import closing
from search.opening import Proposal, has_room, opening
from search.replay.cells import Cells, Side
from search.replay.outcomes import Arrived, Source
from search.replay.proposing import Place, Proposer, Row
from search.replay.track import Track
from search.room import buckets, trials_of
from search.selector import holdback_decision, ramp_decision

WORKFLOW = "replayed"
ALLOCATE_EVERY = 8
"""Looks between two sharings of the exploration: each makes another pair of shares to count by."""
IDLE = 8
"""Proposals in a row that lead to no window before the loop waits for the next batch."""


class Loop:
    """One experiment from its first window to the end of the traffic."""

    def __init__(
        self,
        source: Source,
        experiment: Experiment,
        proposer: Proposer,
        track: Track,
        seed: int,
    ) -> None:
        self._source = source
        self._experiment = experiment
        self._proposer = proposer
        self._track = track
        self._rng = np.random.default_rng(seed)
        self._names: dict[str, str] = {}
        self._pairs: dict[tuple[str, str], Cells] = {}
        self._step = Cells()
        self._served: dict[str, Side] = {}
        self._figures: dict[str, Figures] = {}
        self._rows: dict[str, Row] = {}
        self._trials = 0
        self._looks = 0
        self._more = True
        self._zs: dict[str, list[float | None]] = {}
        self._bounds: dict[str, float] = {}
        self.nominated: list[tuple[int, str]] = []
        """(requests so far, candidate) of every nomination."""
        self._state = State()
        self._append(
            Installed(workflow=WORKFLOW, baseline=self._variant(track.baseline), workflow_config={})
        )
        name = experiment.experiment
        started = ExperimentStarted(experiment=name, workflow=WORKFLOW, config={}, seed=seed)
        self._append(started)

    def receive(self, count: int) -> None:
        """Let a batch of requests arrive, then decide what it allows."""
        self._open()
        split = self._workflow.split
        shares = [(self._names[lane.variant], lane.share / BUCKETS) for lane in split.lanes]
        shares.append((self._names[split.baseline], split.baseline_share / BUCKETS))
        arrived = self._source.receive(shares, count, self._rng)
        self._track.serve(shares, count)
        self._count(split, arrived)
        for window in self._workflow.open_windows:
            if self._state.window(window.id).is_open:
                self._weigh(window)
        self._looks += 1
        if self._looks % ALLOCATE_EVERY == 0:
            self._bounds = self._tightened()
            self._reallocate()

    @property
    def _workflow(self) -> WorkflowState:
        return self._state.workflow(WORKFLOW)

    @property
    def _now(self) -> float:
        """Virtual seconds: one request each."""
        return float(self._track.requests)

    def _append(self, decision: Decision) -> None:
        self._state = after(self._state, decision, seq=self._state.seq + 1, at=self._now)

    def _variant(self, name: str) -> Variant:
        variant = Variant.of({"variant": name})
        self._names[variant.hash] = name
        return variant

    def _open(self) -> None:
        """Open windows while there is room and somebody proposes."""
        for _ in range(IDLE):
            if not may_launch(self._workflow, self._experiment):
                return
            if not has_room(self._workflow, self._experiment):
                return
            name = self._proposer.propose(self._place())
            self._more = name is not None
            if name is None:
                return
            self._trials += 1
            proposal = Proposal(
                trial=f"t{self._trials}",
                candidate=self._variant(name),
                experiment=self._experiment,
                **self._frozen(),
            )
            move = opening(self._state, proposal)
            if isinstance(move, Reallocated):
                self._append(move)
                move = opening(self._state, proposal)
            if isinstance(move, WindowOpened):
                self._append(move)

    def _place(self) -> Place:
        workflow, ratio = self._workflow, self._experiment.guardrails.latency_ratio
        return Place(
            rows=list(self._rows.values()),
            baseline=self._names[workflow.baseline],
            pending=[self._names[window.candidate] for window in workflow.open_windows],
            latency_left=ratio / self._spent(ratio),
        )

    def _spent(self, ratio: float) -> float:
        workflow = self._workflow
        return spent_by(workflow, workflow.baseline, self._state.seq, ratio, self._bounds)

    def _tightened(self) -> dict[str, float]:
        """As for live traffic, from the counters instead of the facts."""
        bounds: dict[str, float] = {}
        for ramp, holdback in promotions(self._workflow):
            strata = [
                stratum
                for one in (ramp, holdback)
                if one is not None
                for stratum in self._cells(one).sample(0.0).latency
            ]
            with suppress(UnmeasuredError):
                bounds[ramp.id] = highest_ratio(strata)
        return bounds

    def _reallocate(self) -> None:
        """Share the exploration anew, as the selector does."""
        windows = trials_of(self._workflow, self._experiment.experiment)
        figures = {one.id: self._figures[one.id] for one in windows if one.id in self._figures}
        if self._experiment.windows.allocation == "even" or len(figures) < max(len(windows), 1):
            return
        shares = shares_of(self._experiment, figures, self._rng)
        if is_worth_it(windows, shares):
            changed = {one.id: shares[one.id] for one in windows if shares[one.id] != one.share}
            self._append(
                Reallocated(
                    experiment=self._experiment.experiment,
                    workflow=WORKFLOW,
                    shares=changed,
                    cap=buckets(self._experiment.windows.most),
                    reason="by what is known of each",
                )
            )

    def _frozen(self) -> dict[str, Any]:
        """What is expected of the present baseline's units."""
        served = self._served.get(self._workflow.baseline, Side())
        segments = {name: levels[:LEVELS] for name, levels in served.segments.items()}
        rated = served.levels[:LEVELS]
        return {"f0": mean_from(rated), "expected": expected_from(rated, segments)}

    def _count(self, split: Split, arrived: list[Arrived]) -> None:
        baseline = arrived[-1]
        self._served.setdefault(split.baseline, Side()).add(baseline)
        for lane, own in zip(split.lanes, arrived, strict=False):
            window = self._state.window(lane.window)
            cells = self._cells(window)
            if window.kind == "holdback":
                cells.add((split.baseline_share, lane.share), baseline, own)
                continue
            cells.add((lane.share, split.baseline_share), own, baseline)
            if window.kind == "ramp":
                self._step.add((lane.share, split.baseline_share), own, baseline)

    def _cells(self, window: Window) -> Cells:
        """A pair's evidence: a trial's goes on in its ramp, a holdback's is its own."""
        pair = (window.candidate, window.baseline)
        key = (window.id, "") if window.kind == "holdback" else pair
        return self._pairs.setdefault(key, Cells())

    def _weigh(self, window: Window) -> None:
        elapsed_s = self._now - window.opened_at
        expected = window.expected.segments if window.expected else {}
        sample = self._cells(window).sample(elapsed_s, expected)
        rules = rules_of(
            self._experiment,
            window,
            high_risk=False,
            workflow=self._workflow,
            now=self._now,
            tightened=self._bounds,
        )
        # As for live traffic: a holdback spends none of the alpha budget.
        alpha = window.alpha or self._experiment.alpha
        more = rules.more and self._more
        rules = rules.model_copy(update={"needs_approval": False, "alpha": alpha, "more": more})
        figures = figures_of(sample, rules)
        decision: Decision | None
        if window.kind == "trial":
            if rules.policy == "group-sequential":
                figures |= self._looked(window, figures, rules)
            verdict = decide(figures, rules)
            self._note(window, figures)
            if verdict.cause == "rivals":
                verdict = decide(figures | against_rivals(figures, self._beside(window)), rules)
            decision = closing(window, verdict, self._experiment, seq=self._state.seq + 1)
        elif window.kind == "ramp":
            verdict = decide_step(
                figures,
                figures_of(self._step.sample(elapsed_s, expected), rules),
                min_units=self._experiment.ramp.min_units,
                max_units=longest_step(window, self._experiment.ramp.min_units),
                rules=rules,
            )
            decision = ramp_decision(self._workflow, self._experiment, window, verdict)
        else:
            decision = holdback_decision(self._workflow, window, decide_holdback(figures))
        if decision is not None:
            self._follow(decision, figures)

    def _follow(self, decision: Decision, figures: Figures) -> None:
        self._append(decision)
        if not isinstance(decision, WindowClosed):
            self._step = Cells()
        log_e = figures.get("log_e")
        if isinstance(decision, Nominated):
            self.nominated.append((self._track.requests, self._names[decision.candidate]))
        if isinstance(decision, Promoted):
            self._track.promote(self._names[decision.after], log_e)
        elif isinstance(decision, RolledBack):
            self._track.promote(self._names[decision.after], log_e, rollback=True)

    def _looked(self, window: Window, figures: Figures, rules: Rules) -> Figures:
        """What the planned looks have shown, each at the first batch after it was due."""
        zs, units = self._zs.setdefault(window.id, []), figures["candidate_units"] or 0
        due = sum(count <= units for count in counts_of(rules.looks, rules.max_units))
        zs += [z_of(figures)] * (due - len(zs))
        return look_figures(zs, looks=rules.looks, alpha=rules.alpha)

    def _beside(self, window: Window) -> list[Figures]:
        """What is known of the other open candidates."""
        others = trials_of(self._workflow, self._experiment.experiment)
        return [self._figures[o.id] for o in others if o.id != window.id and o.id in self._figures]

    def _note(self, window: Window, figures: Figures) -> None:
        """Keep what the search learns from: a window's newest figures."""
        self._figures[window.id] = figures
        names = self._names[window.candidate], self._names[window.baseline]
        self._rows[window.id] = Row.of(*names, figures)
