"""One trial from its proposal to its last report: it only waits, reads and decides.

Nothing here knows Ray; the clock, sleeping and the renewal of leases are given.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from engine.config.experiment import Experiment, space_of
from engine.config.paths import Setting
from engine.config.workflow import Workflow
from engine.errors import ConfigError
from engine.evidence.measure import Facts
from engine.experiment.decide import Figures
from engine.experiment.entries import Decision, Nominated, WindowClosed, WindowOpened
from engine.experiment.split import BUCKETS
from engine.experiment.state import State
from engine.experiment.variant import Variant, configured, copy_of, variant_of
from engine.experiment.verdict import Verdict
from engine.experiment.window import Window
from search.assessed import assess_trial
from search.books import Decisions, FactsFollower
from search.frozen import Frozen, frozen
from search.gate import is_out_of_time
from search.opening import NoRoom, Over, Proposal, ended_with, opening
from search.report import Report
from search.space import changes_of

LOOK_S = 1.5
SEATED_WITHIN_S = 60.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 3.0


@dataclass(frozen=True)
class World:
    """What a trial needs of the world outside the two books."""

    clock: Callable[[], float]
    """Unix seconds."""
    sleep: Callable[[float], None]
    renew: Callable[[str], None]
    """Extends a window's lease."""


class Life:
    """What one trial does, as a sequence of reports."""

    def __init__(
        self,
        trial: str,
        experiment: str,
        params: Mapping[str, object],
        decisions: Decisions,
        facts: FactsFollower,
        world: World,
    ) -> None:
        self._trial = trial
        self._name = experiment
        self._params = params
        self._decisions = decisions
        self._facts = facts
        self._world = world
        self._figures: Figures | None = None
        self._renew_at = 0.0

    def reports(self) -> Iterator[Report]:
        """Open a window as soon as there is room, look until a verdict closes it."""
        try:
            begun = self._begin()
        except ConfigError as error:
            yield Report("stop", f"impossible: {error}", candidate="")
            return
        if isinstance(begun, Report):
            yield begun
            return
        last = None
        while True:
            report = self.look(begun)
            if report != last:
                yield report
                last = report
            if report.is_last:
                return
            self._wait(begun)

    def look(self, window_id: str) -> Report:
        """Weigh a window once; what the verdict asks for is in the ledger before it is reported."""
        while True:
            state = self._decisions.state()
            window = state.window(window_id)
            if not window.is_open:
                return self._report_end(ended_with(window))
            verdict = self._verdict(state, window)
            self._figures = verdict.figures or self._figures
            decision = closing(window, verdict, self._experiment(state), seq=state.seq + 1)
            if decision is None:
                return self._report(verdict.action, verdict.cause, window)
            if self._append_if_open(decision, window):
                return self._report(verdict.action, verdict.cause, window)

    def _begin(self) -> str | Report:
        """The id of the trial's window, opened once there is room, or how the trial ended."""
        pause_s = FIRST_PAUSE_S
        while True:
            state = self._decisions.state()
            proposal = self._proposal(state)
            move = opening(state, proposal)
            if isinstance(move, Over):
                return self._report_end(move, proposal.candidate.hash)
            if isinstance(move, NoRoom):
                self._world.sleep(pause_s)
                pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
                continue
            opened = self._append_opening(state, replace(proposal, **vars(self._frozen(state))))
            if opened is not None:
                self._renew_at = self._world.clock() + proposal.experiment.windows.lease_s / 3
                return opened

    def _proposal(self, state: State) -> Proposal:
        """The candidate as a change of the present baseline; its mean is measured once it opens."""
        experiment = self._experiment(state)
        workflow = state.workflow(state.experiments[self._name].workflow)
        baseline = workflow.variants[workflow.baseline]
        if experiment.aa:
            copy = copy_of(baseline, self._trial)
            return Proposal(trial=self._trial, candidate=copy, experiment=experiment)
        installed = Workflow.model_validate(workflow.config)
        changes = changes_of(space_of(experiment), self._params)
        candidate = candidate_of(installed, baseline, changes)
        return Proposal(trial=self._trial, candidate=candidate, experiment=experiment)

    def _frozen(self, state: State) -> Frozen:
        """What is expected of the present baseline's units."""
        workflow = state.workflow(state.experiments[self._name].workflow)
        facts = self._facts.follow()
        upto, now = self._facts.upto, self._facts.settled_at()
        return frozen(workflow, self._experiment(state), facts, upto=upto, now=now)

    def _append_opening(self, seen: State, proposal: Proposal) -> str | None:
        """Append the next opening move; the window's id once one is open."""
        workflow = seen.experiments[self._name].workflow
        baseline = seen.workflow(workflow).baseline
        opened: list[str] = []

        def decide(newest: State) -> Decision | None:
            opened.clear()
            if newest.workflow(workflow).baseline != baseline:
                return None
            move = opening(newest, proposal)
            if isinstance(move, WindowOpened):
                opened.append(move.window)
            return None if isinstance(move, NoRoom | Over) else move

        self._decisions.append(decide, actor=self._actor, clock=self._world.clock)
        return opened[0] if opened else None

    def _append_if_open(self, decision: Decision, window: Window) -> bool:
        """Append unless the window, its baseline or the right to nominate is gone meanwhile."""

        def decide(newest: State) -> Decision | None:
            workflow = newest.workflow(window.workflow)
            stale = not newest.window(window.id).is_open or (
                isinstance(decision, Nominated)
                and (workflow.ramp is not None or workflow.baseline != window.baseline)
            )
            return None if stale else decision

        entry = self._decisions.append(decide, actor=self._actor, clock=self._world.clock)
        return entry is not None

    def _verdict(self, state: State, window: Window) -> Verdict:
        facts = self._facts.follow()
        waited_s = self._world.clock() - window.opened_at
        if waited_s > SEATED_WITHIN_S and not is_exposed(facts, window.id):
            reason = f"no unit met the candidate within {SEATED_WITHIN_S:.0f} s of its opening"
            return Verdict(action="stop", cause="not_seated", reason=reason)
        experiment = self._experiment(state)
        verdict = assess_trial(
            state.workflow(window.workflow),
            experiment,
            window,
            facts,
            upto=self._facts.upto,
            now=self._facts.settled_at(),
        )
        known = state.experiments[self._name]
        out_of_time = is_out_of_time(known, experiment, self._world.clock())
        if out_of_time and verdict.action in {"continue", "hold"}:
            reason = "the experiment's time was over before the evidence decided"
            return Verdict(action="stop", cause="budget", reason=reason, figures=verdict.figures)
        return verdict

    def _wait(self, window_id: str) -> None:
        """Sleep until the next look and renew the lease three times in its length."""
        lease_s = self._decisions.state().window(window_id).lease_s
        look_at = self._world.clock() + LOOK_S
        while (now := self._world.clock()) < look_at:
            if now >= self._renew_at:
                self._world.renew(window_id)
                self._renew_at = now + lease_s / 3
            self._world.sleep(max(min(look_at, self._renew_at) - now, 0.01))

    def _experiment(self, state: State) -> Experiment:
        return Experiment.model_validate(state.experiments[self._name].config)

    def _report(self, action: str, cause: str, window: Window) -> Report:
        return Report(action, cause, window.candidate, window.id, self._figures)

    def _report_end(self, end: Over, candidate: str = "") -> Report:
        """The last report; a duplicate measured nothing of its own, so it shows no figures."""
        if end.window is None or end.cause == "duplicate":
            return Report(end.action, end.cause, candidate)
        verdict = end.window.verdict
        self._figures = (verdict.figures if verdict else None) or self._figures
        return self._report(end.action, end.cause, end.window)

    @property
    def _actor(self) -> str:
        return f"trial {self._trial}"


def closing(
    window: Window, verdict: Verdict, experiment: Experiment, *, seq: int
) -> WindowClosed | Nominated | None:
    """What a verdict on a trial's window leads to: its end, a ramp, or nothing yet."""
    if verdict.action == "stop":
        return WindowClosed(window=window.id, verdict=verdict)
    if verdict.action != "promote":
        return None
    return Nominated(
        window=f"r{seq}-{window.trial}",
        trial=window.trial,
        experiment=window.experiment,
        workflow=window.workflow,
        candidate=window.candidate,
        baseline=window.baseline,
        share=max(round(experiment.ramp.steps[0] * BUCKETS), window.share),
        lane=BUCKETS - round(experiment.holdback * BUCKETS),
        alpha=window.alpha,
        f0=window.f0,
        expected=window.expected,
        lease_s=window.lease_s,
        continues=(*window.continues, window.id),
        verdict=verdict,
    )


def candidate_of(installed: Workflow, baseline: Variant, changes: Mapping[str, Setting]) -> Variant:
    """The baseline with these changes; parameters that the search leaves alone stay as they are.

    Raises:
        ConfigError: The changes make an impossible workflow.
    """
    return variant_of(configured(installed, baseline), changes)


def is_exposed(facts: Facts, window: str) -> bool:
    """Whether any unit met this window's candidate, other than by force."""
    return facts.exposures.filter(pl.col("window") == window, ~pl.col("forced")).height > 0
