"""Optuna proposes through Tune, and every one of its trials is told how it ended."""

import functools
import math
import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import TrialState
from ray.tune.search.optuna import OptunaSearch

from engine.config.paths import Setting
from engine.config.space import Space
from engine.config.windows import Proposer
from engine.errors import ConfigError
from search.gate import Passage
from search.learning.focus import FocusedSampler
from search.learning.propose import Limits
from search.learning.sampler import ArticleSampler, DifferenceGPSampler, Standing
from search.space import changes_of, define, group_name

OBJECTIVE = "objective"
NOTED = (
    *("window", "candidate", "cause", "units", "lift", "se", "log_e"),
    *("latency_ratio", "latency_log_se"),
)
"""What the study keeps of a trial's newest report, as user attributes."""
INFEASIBLE = 1.0
"""A constraint's value where it is violated, or was never measured."""
TRIES = 50
"""Proposals in a row that may be forbidden before the space is called impossible."""


@dataclass(frozen=True)
class Study:
    """Where proposals come from and where their ends are told."""

    name: str
    storage: RDBStorage
    startup_trials: int
    seed: int
    proposer: Proposer = "differences"
    mde: float = 0.02
    focus: tuple[str, ...] = ()
    """Paths of the block that the first trials vary; none leaves all to the proposer."""


class TrimtabSearch(OptunaSearch):
    """Optuna made safe for windows of live traffic, whichever sampler proposes.

    A trial's value is the reported objective of its last look; a trial that measured none is told
    FAIL. Proposals that the space forbids are told FAIL before a window could open. `settings`
    are those of the workflow that is searched, which a forbidden combination may name. `wishes` are
    proposals that persons ask for; each is made once, before any that the sampler draws. `standing`
    tells what a proposal will be held against; without it that is `settings`.
    """

    def __init__(
        self,
        space: Space,
        settings: Mapping[str, Setting],
        study: Study,
        gate: Callable[[], Passage],
        wishes: Callable[[], list[dict[str, object]]] = list,
        standing: Callable[[], Standing] | None = None,
    ) -> None:
        self._standing = standing or functools.partial(Standing, dict(settings))
        super().__init__(
            space=functools.partial(define, space),
            metric=OBJECTIVE,
            mode="max",
            sampler=sampler_of(study, space, self._standing),
            study_name=study.name,
            storage=study.storage,
        )
        self._limits = space
        self._settings = dict(settings)
        self._gate = gate
        self._wishes = wishes
        self.sweep()

    @property
    def study(self) -> optuna.Study:
        """The study, which exists from the beginning because the space is given."""
        study = self._ot_study
        assert isinstance(study, optuna.Study)
        return study

    def suggest(self, trial_id: str) -> Any:
        """A lawful proposal, FINISHED when the experiment is over, None while a ramp goes on.

        Raises:
            ConfigError: Nothing but forbidden combinations was drawn.
        """
        passage = self._gate()
        if passage != "open":
            return self.FINISHED if passage == "over" else None
        for wish in self._wishes():
            self.study.enqueue_trial(wish, user_attrs={"added": True}, skip_if_exists=True)
        changes: dict[str, Setting] = {}
        for _ in range(TRIES):
            proposed = super().suggest(trial_id)
            own = self._ot_trials[trial_id]
            changes = changes_of(self._limits, proposed or {})
            if not self._limits.forbids(self._settings | changes):
                own.set_user_attr("trial", trial_id)
                return proposed
            own.set_user_attr("cause", "forbidden")
            constrain(own, {}, self._standing().limits)
            self.study.tell(own, state=TrialState.FAIL)
            del self._ot_trials[trial_id]
        raise ConfigError(
            f"forbidden: {TRIES} proposals in a row were forbidden, the last one {changes}; "
            "forbid less of the space"
        )

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """Keep the newest figures, from which others learn; the value is told at the end."""
        if trial_id in self._ot_trials and result.get("window"):
            self._note(trial_id, {name: result.get(name) for name in NOTED if name != "cause"})

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell Optuna the objective, or FAIL where none was measured."""
        if trial_id in self._completed_trials or trial_id not in self._ot_trials:
            return
        self._completed_trials.add(trial_id)
        own = self._ot_trials[trial_id]
        self._note(trial_id, result or {})
        if self._is_told(own.number):
            return
        constrain(own, result or {}, self._standing().limits)
        value = (result or {}).get(OBJECTIVE)
        if error or not isinstance(value, float) or not math.isfinite(value):
            self.study.tell(own, state=TrialState.FAIL)
        else:
            self.study.tell(own, value)

    def restore(self, checkpoint_path: str) -> None:
        """Go on from a snapshot: its open trials keep their Optuna trials, newer ones are over."""
        super().restore(checkpoint_path)
        self.sweep()

    def sweep(self) -> None:
        """Tell FAIL to every running Optuna trial that no Tune trial owns."""
        owned = {
            own.number
            for trial_id, own in self._ot_trials.items()
            if trial_id not in self._completed_trials
        }
        tell_abandoned(self.study, owned)

    def _note(self, trial_id: str, result: Mapping[str, Any]) -> None:
        own = self._ot_trials[trial_id]
        if self._is_told(own.number):
            return
        known = own.user_attrs
        for key in NOTED:
            value = result.get(key)
            unmeasured = value is None or (isinstance(value, float) and not math.isfinite(value))
            if not unmeasured and known.get(key) != value:
                own.set_user_attr(key, value)

    def _is_told(self, number: int) -> bool:
        """A snapshot may be older than the study: what ended since then stays as it was told."""
        finished = self.study.get_trials(deepcopy=False)[number].state.is_finished()
        return bool(finished)


def sampler_of(
    study: Study, space: Space, standing: Callable[[], Standing]
) -> optuna.samplers.BaseSampler:
    """The named proposer, behind a first look at the block that the search is to begin with."""
    inner = _proposer(study, space, standing)
    if not study.focus:
        return inner
    names = {*study.focus} & space.parameters.keys()
    names |= {group_name(group) for group in space.exclusive if {*group} & {*study.focus}}
    return FocusedSampler(
        space, standing, inner, names, trials=study.startup_trials, seed=study.seed
    )


def _proposer(
    study: Study, space: Space, standing: Callable[[], Standing]
) -> optuna.samplers.BaseSampler:
    """Each knows conditional parameters and trials that are still going on."""
    if study.proposer == "differences":
        return DifferenceGPSampler(
            space,
            standing,
            seed=study.seed,
            mde=study.mde,
            startup_trials=study.startup_trials,
        )
    if study.proposer == "article":
        return ArticleSampler(space, standing, seed=study.seed)
    if study.proposer == "random":
        return RandomSampler(seed=study.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return TPESampler(
            n_startup_trials=study.startup_trials,
            multivariate=True,
            group=True,
            constant_liar=True,
            seed=study.seed,
        )


def constrain(trial: optuna.Trial, result: Mapping[str, Any], limits: Limits) -> None:
    """Tell Optuna which guardrails a trial has kept.

    Optuna takes each constraint once, so this is called when a trial ends.
    """
    for name, value in constraints_of(result, limits).items():
        trial.set_constraint(name, value)


def constraints_of(result: Mapping[str, Any], limits: Limits) -> dict[str, float]:
    """The guardrails as Optuna reads them: kept where at most 0; unmeasured is not kept."""
    ratio = result.get("latency_ratio")
    measured = isinstance(ratio, int | float) and math.isfinite(ratio) and ratio > 0.0
    latency = math.log(ratio / limits.latency_ratio) if measured and ratio else INFEASIBLE
    kept = bool(result.get("window")) and result.get("cause") != "errors"
    return {"latency": latency, "errors": 0.0 if kept else INFEASIBLE}


def storage_of(root: Path) -> RDBStorage:
    """The study's database, apart from the ledger, so that a dashboard can't touch decisions."""
    return RDBStorage(f"sqlite:///{root / 'study.db'}")


def tell_abandoned(study: optuna.Study, owned: Collection[int] = ()) -> list[int]:
    """Tell FAIL to running trials that nobody owns; left running they would repel the sampler."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    abandoned = [trial.number for trial in running if trial.number not in owned]
    for trial in running:
        if trial.number in abandoned:
            constrain(optuna.Trial(study, trial._trial_id), {}, Limits())
    for number in abandoned:
        study.tell(number, state=TrialState.FAIL, skip_if_finished=True)
    return abandoned
