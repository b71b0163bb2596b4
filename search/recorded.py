"""A whole search in virtual time, on outcomes recorded before: how often does luck promote?

Every candidate is a copy of the baseline, so each promotion is a false one. The ledger's fold, the
split, the measurement, the verdicts and the alpha budget are those of live trials; only time and
the answers are not.
"""

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from engine.config.experiment import Experiment
from engine.errors import UnmeasuredError
from engine.evidence.measure import Facts, Pair, measure
from engine.evidence.records import empty
from engine.experiment.decide import decide, figures_of
from engine.experiment.entries import Decision, ExperimentStarted, Installed, WindowOpened
from engine.experiment.fold import after
from engine.experiment.split import Split, assign, epoch_of
from engine.experiment.state import State
from engine.experiment.variant import Variant
from engine.experiment.verdict import Verdict
from engine.experiment.window import Window
from engine.stats.sample import Sample
from search.assess import pair_of, rules_of
from search.frozen import baseline_mean
from search.life import closing
from search.opening import Proposal, has_room, opening

WORKFLOW = "recorded"
BASELINE = Variant.of({"copy": 0})


@dataclass(frozen=True)
class Pace:
    """How fast virtual traffic comes and how its users rate."""

    units_per_s: float = 75.0
    look_s: float = 2.5
    rated: float = 0.85
    """Part of the units that anybody rates."""
    delay_s: float = 2.0
    """Mean of the exponential delay of a rating; what comes after maturation is left out."""


@dataclass(frozen=True)
class RecordedWindow:
    """How one candidate fared."""

    window: str
    alpha: float
    verdict: Verdict


@dataclass(frozen=True)
class RecordedOutcome:
    """How one search ended."""

    promoted: bool
    units: int
    """Units that met any variant."""
    windows: tuple[RecordedWindow, ...]


def recorded_experiment(
    outcomes: pl.DataFrame,
    experiment: Experiment,
    *,
    seed: int,
    candidates: int,
    units: int,
    pace: Pace | None = None,
) -> RecordedOutcome:
    """Search among copies of the baseline until one is promoted, or candidates or units run out.

    `outcomes` has the columns variant, unit, score in [0, 1] and latency_s; units are drawn from
    it with replacement, for every variant alike.

    Raises:
        UnmeasuredError: There are no outcomes.
    """
    if outcomes.height == 0:
        raise UnmeasuredError("recorded outcomes: the table is empty, so nothing can be drawn")
    search = _Search(outcomes, experiment, seed, pace or Pace())
    while search.arrived < units:
        search.open_windows(candidates)
        if not search.open:
            break
        search.receive(min(search.per_look, units - search.arrived))
        if search.look():
            return search.outcome(promoted=True)
    return search.outcome(promoted=False)


class _Search:
    """The state of one search: its decisions, its facts by version, and the virtual time."""

    def __init__(
        self, outcomes: pl.DataFrame, experiment: Experiment, seed: int, pace: Pace
    ) -> None:
        self.arrived = 0
        self.per_look = max(round(pace.units_per_s * pace.look_s), 1)
        self._experiment = experiment
        self._pace = pace
        self._rng = np.random.default_rng(seed)
        self._scores = outcomes["score"].to_numpy()
        self._latencies = outcomes["latency_s"].to_numpy()
        self._state = State()
        self._proposed = 0
        self._facts: dict[int, Facts] = {}
        self._settled: dict[tuple[str, int], Sample] = {}
        self._last: dict[str, Verdict] = {}
        name = experiment.experiment
        self._append(Installed(workflow=WORKFLOW, baseline=BASELINE, workflow_config={}))
        self._append(ExperimentStarted(experiment=name, workflow=WORKFLOW, config={}, seed=seed))

    @property
    def now(self) -> float:
        """Virtual seconds since the beginning."""
        return self.arrived / self._pace.units_per_s

    @property
    def open(self) -> tuple[Window, ...]:
        """The windows that are open."""
        return self._state.workflow(WORKFLOW).open_windows

    def open_windows(self, candidates: int) -> None:
        """Open windows for the next candidates while there is room."""
        workflow = self._state.workflow(WORKFLOW)
        while self._proposed < candidates and has_room(workflow, self._experiment):
            number = self._proposed + 1
            move = opening(self._state, self._proposal(number))
            if not isinstance(move, WindowOpened):
                return
            self._append(move)
            self._proposed = number
            workflow = self._state.workflow(WORKFLOW)

    def receive(self, count: int) -> None:
        """Let this many units arrive under the present split."""
        split = self._state.workflow(WORKFLOW).split
        news = self._arrivals(split, count)
        seen = self._facts.get(split.version)
        self._facts[split.version] = news if seen is None else _joined([seen, news])
        self.arrived += count

    def look(self) -> bool:
        """Weigh every open window; whether one was promoted."""
        for window in self.open:
            verdict = self._verdict(window)
            self._last[window.id] = verdict
            decision = closing(window, verdict, self._experiment, seq=self._state.seq + 1)
            if decision is not None:
                self._append(decision)
            if verdict.action == "promote":
                return True
        return False

    def outcome(self, *, promoted: bool) -> RecordedOutcome:
        """How it went, window by window."""
        windows = self._state.workflow(WORKFLOW).windows
        return RecordedOutcome(
            promoted=promoted,
            units=self.arrived,
            windows=tuple(
                RecordedWindow(window=id_, alpha=windows[id_].alpha, verdict=verdict)
                for id_, verdict in self._last.items()
            ),
        )

    def _append(self, decision: Decision) -> None:
        self._state = after(self._state, decision, seq=self._state.seq + 1, at=self.now)

    def _proposal(self, number: int) -> Proposal:
        workflow = self._state.workflow(WORKFLOW)
        facts = _joined(list(self._facts.values())) if self._facts else _nothing()
        maturation_s = self._experiment.maturation_s
        f0 = baseline_mean(facts, workflow, now=self.now, maturation_s=maturation_s)
        return Proposal(
            trial=f"copy-{number}",
            candidate=Variant.of({"copy": number}),
            experiment=self._experiment,
            f0=f0,
        )

    def _verdict(self, window: Window) -> Verdict:
        sample = self._sample(window, pair_of(self._state.workflow(WORKFLOW), window))
        rules = rules_of(self._experiment, window, high_risk=False)
        rules = rules.model_copy(update={"needs_approval": False})
        return decide(figures_of(sample, rules), rules)

    def _sample(self, window: Window, pair: Pair) -> Sample:
        """The pair's sample, version by version; one whose units have all matured never changes.

        Versions can be added up because each layout rotates the salt and every unit comes once.
        """
        parts: list[Sample] = []
        newest = max(self._facts)
        for version in sorted(pair.shares.keys() & self._facts.keys()):
            part = self._settled.get((window.id, version))
            if part is None:
                part = self._measured(pair, version)
                if version < newest and self._is_matured(version):
                    self._settled[window.id, version] = part
            parts.append(part)
        return _added(parts, elapsed_s=self.now - window.opened_at)

    def _measured(self, pair: Pair, version: int) -> Sample:
        alone = replace(pair, shares={version: pair.shares[version]})
        maturation_s = self._experiment.maturation_s
        return measure(self._facts[version], alone, now=self.now, maturation_s=maturation_s)

    def _is_matured(self, version: int) -> bool:
        newest_at = float(self._facts[version].exposures["at"][-1])
        return newest_at <= self.now - self._experiment.maturation_s

    def _arrivals(self, split: Split, count: int) -> Facts:
        """Units with outcomes drawn independently of the variant that they meet."""
        at = self.now + np.arange(1, count + 1) / self._pace.units_per_s
        names = [f"u{self.arrived + i}" for i in range(count)]
        epochs = [epoch_of(split, float(moment)) for moment in at]
        met = [assign(name, split, epoch) for name, epoch in zip(names, epochs, strict=True)]
        drawn = self._rng.integers(len(self._scores), size=count)
        is_rated = self._rng.random(count) < self._pace.rated
        rated_at = at + self._latencies[drawn] + self._rng.exponential(self._pace.delay_s, count)
        exposures = pl.DataFrame(
            {
                "trace_id": names,
                "at": at,
                "unit_id": names,
                "epoch": epochs,
                "version": [split.version] * count,
                "variant": [one.variant for one in met],
                "window": [one.window for one in met],
                "lapsed": [""] * count,
                "forced": [False] * count,
                "segment": [""] * count,
            }
        )
        traces = pl.DataFrame(
            {
                "trace_id": names,
                "duration_s": self._latencies[drawn],
                "status": ["ok"] * count,
            }
        )
        feedback = pl.DataFrame(
            {
                "trace_id": names,
                "at": rated_at,
                "metric": ["quality"] * count,
                "score": self._scores[drawn],
            }
        ).filter(pl.Series(is_rated))
        return Facts(exposures, traces, feedback)


def _joined(parts: list[Facts]) -> Facts:
    return Facts(
        pl.concat([part.exposures for part in parts]),
        pl.concat([part.traces for part in parts]),
        pl.concat([part.feedback for part in parts]),
    )


def _nothing() -> Facts:
    return Facts(empty("exposure"), empty("trace"), empty("feedback"))


def _added(parts: list[Sample], *, elapsed_s: float) -> Sample:
    return Sample(
        quality=tuple(cell for part in parts for cell in part.quality),
        no_error=tuple(cell for part in parts for cell in part.no_error),
        errors=tuple(cell for part in parts for cell in part.errors),
        latency=tuple(cell for part in parts for cell in part.latency),
        exposed=tuple(cell for part in parts for cell in part.exposed),
        candidate_units=sum(part.candidate_units for part in parts),
        baseline_units=sum(part.baseline_units for part in parts),
        elapsed_s=elapsed_s,
        digest="",
    )
