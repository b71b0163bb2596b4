"""Ramps what was nominated, promotes what holds, and rolls back what turns out worse."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayError

from engine.config.experiment import Experiment
from engine.errors import TrimtabError
from engine.experiment.entries import (
    Decision,
    HoldbackClosed,
    HoldbackNarrowed,
    Promoted,
    RampStepped,
    RolledBack,
    WindowClosed,
)
from engine.experiment.split import BUCKETS
from engine.experiment.state import ExperimentState, State, WorkflowState
from engine.experiment.verdict import Verdict
from engine.experiment.window import Window
from search.active import write_active_of
from search.allocation import reallocation
from search.assessed import assess_holdback, assess_step
from search.books import Decisions, FactsFollower
from search.names import CONTROL, NAMESPACE, SELECTOR
from search.scoring import Scoring

log = logging.getLogger("trimtab.selector")

LOOK_S = 1.0


def next_share(window: Window, experiment: Experiment) -> int | None:
    """The buckets of the ramp's next step; None when the present one is the last."""
    steps = [round(step * BUCKETS) for step in experiment.ramp.steps]
    return next((share for share in steps if share > window.share), None)


def ramp_decision(
    workflow: WorkflowState, experiment: Experiment, window: Window, verdict: Verdict
) -> Decision | None:
    """What a step's verdict leads to: the next step, the promotion, or the end of the ramp."""
    if verdict.action == "rollback":
        return WindowClosed(window=window.id, verdict=verdict)
    if verdict.action != "promote":
        return None
    share = next_share(window, experiment)
    if share is not None:
        return RampStepped(window=window.id, share=share, verdict=verdict)
    return Promoted(
        workflow=workflow.name,
        window=window.id,
        before=window.baseline,
        after=window.candidate,
        holdback=BUCKETS - window.lane,
        experiment=window.experiment,
        reason=verdict.reason,
        verdict=verdict,
    )


def holdback_decision(workflow: WorkflowState, window: Window, verdict: Verdict) -> Decision | None:
    """What a holdback's verdict leads to: nothing, or the former baseline again."""
    if verdict.action != "rollback":
        return None
    return RolledBack(
        workflow=workflow.name,
        before=window.baseline,
        after=window.candidate,
        reason=verdict.reason,
        verdict=verdict,
    )


def holdback_end(
    experiment: Experiment, window: Window, verdict: Verdict, *, now: float
) -> Decision | None:
    """What becomes of a holdback whose promotion has stood for as long as it has to."""
    figures = verdict.figures
    units = (figures["candidate_units"] or 0) + (figures["baseline_units"] or 0)
    lasted_s = now - window.opened_at
    if units < experiment.holdback_units and lasted_s < experiment.holdback_s:
        return None
    reason = f"the promotion stood for {lasted_s:,.0f} s and {units:,} units"
    share = round(experiment.holdback_after * BUCKETS)
    if share == 0:
        return HoldbackClosed(workflow=window.workflow, reason=reason, verdict=verdict)
    if share >= window.share:
        return None
    return HoldbackNarrowed(window=window.id, share=share, reason=reason, verdict=verdict)


class Selector:
    """Watches every workflow's ramp and holdback, and appends what the evidence allows.

    It outlives the search: a ramp must end well even when nobody proposes any more. Two selectors
    can't both act, because each append names the ledger's head that it decided on.
    """

    def __init__(self, root: str, clock: Callable[[], float] = time.time) -> None:
        self._root = Path(root)
        self._clock = clock
        self._decisions = Decisions(self._root)
        self._facts = FactsFollower(self._root)
        self._shared_at: dict[str, float] = {}
        self._working: list[asyncio.Task[None]] = []

    async def start(self) -> int:
        """Begin watching; a second call changes nothing. Answers with the process id."""
        if not self._working:
            loop = asyncio.get_running_loop()
            self._working = [loop.create_task(self._forever()), loop.create_task(self._score())]
        return os.getpid()

    async def _forever(self) -> None:
        while True:
            try:
                await self._renew()
                await asyncio.to_thread(self.look)
            except (TrimtabError, RayError, OSError):
                log.exception("a look failed; the next one tries again")
            await asyncio.sleep(LOOK_S)

    async def _score(self) -> None:
        """Evaluate new answers beside everything else: a slow judge must hold up no ramp."""
        scoring = Scoring(self._root, self._clock)
        while True:
            try:
                await asyncio.to_thread(scoring.look)
            except (TrimtabError, OSError):
                log.exception("scoring failed; the next look tries again")
            await asyncio.sleep(LOOK_S)

    async def _renew(self) -> None:
        for workflow in self._decisions.state().workflows.values():
            if workflow.ramp is not None:
                control = await asyncio.to_thread(ray.get_actor, CONTROL, NAMESPACE)
                await control.renew.remote(workflow.ramp.id)

    def look(self) -> None:
        """Weigh every ramp and holdback once."""
        state = self._decisions.state()
        self._write_active(state)
        for workflow in state.workflows.values():
            window = workflow.ramp or workflow.holdback
            if window is not None and window.experiment in state.experiments:
                self._weigh(state, workflow, window)
        for experiment in state.experiments.values():
            if experiment.ended is None:
                self._share(state, experiment)

    def _weigh(self, state: State, workflow: WorkflowState, window: Window) -> None:
        experiment = Experiment.model_validate(state.experiments[window.experiment].config)
        facts = self._facts.follow()
        upto, now = self._facts.upto, self._facts.settled_at()
        if window.kind == "ramp":
            verdict = assess_step(workflow, experiment, window, facts, upto=upto, now=now)
            decision = ramp_decision(workflow, experiment, window, verdict)
        else:
            verdict = assess_holdback(workflow, experiment, window, facts, upto=upto, now=now)
            decision = holdback_decision(workflow, window, verdict) or holdback_end(
                experiment, window, verdict, now=now
            )
        if decision is not None and self._appended(state, decision):
            self._write_active(self._decisions.state())

    def _share(self, state: State, known: ExperimentState) -> None:
        """Share the traffic of an experiment's trials anew, as often as it says."""
        experiment = Experiment.model_validate(known.config)
        now = self._clock()
        if now - self._shared_at.setdefault(known.name, now) < experiment.windows.allocate_s:
            return
        self._shared_at[known.name] = now
        facts = self._facts.follow()
        upto, settled_at = self._facts.upto, self._facts.settled_at()
        decision = reallocation(state, known.name, facts, upto=upto, now=settled_at)
        if decision is not None:
            self._appended(state, decision)

    def _appended(self, seen: State, decision: Decision) -> bool:
        """Whether the decision is on record: nobody may have appended since it was taken."""
        entry = self._decisions.append(
            lambda newest: decision if newest.seq == seen.seq else None,
            actor="selector",
            clock=self._clock,
        )
        return entry is not None

    def _write_active(self, state: State) -> None:
        """Keep each workflow's active configuration file as the ledger says."""
        for workflow in state.workflows.values():
            write_active_of(self._root, workflow)


def start_selector(root: Path) -> Any:
    """The selector of this cluster, started if there is none; it outlives its starter."""
    actor = ray.remote(Selector).options(
        name=SELECTOR,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        max_concurrency=16,
        scheduling_strategy="DEFAULT",
    )
    return actor.remote(str(root))
