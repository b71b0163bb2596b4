"""The learner as Optuna's sampler: it reads the study's trials and proposes whole settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite, log
from typing import Any

import numpy as np
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from engine.config.parameter import (
    BoolParameter,
    ChoiceParameter,
    FloatParameter,
    IntParameter,
    Parameter,
    Scalar,
)
from engine.config.paths import Setting
from engine.config.space import Space
from search.draws import Draws
from search.learning.propose import Learner, Limits, Measured, Row

AGAINST = "against"
"""User attribute of a trial: the proposal that its concurrent baseline amounts to."""
EARLIER = "earlier"
"""User attribute of a trial that another experiment has measured: that experiment's name."""


@dataclass(frozen=True)
class Standing:
    """What a proposal will be held against."""

    settings: Mapping[str, Setting]
    """Of the present baseline."""
    limits: Limits = field(default_factory=Limits)
    """What earlier promotions have left of the guardrails."""


class OfSpace(BaseSampler):
    """A sampler that proposes whole settings of one space against the present baseline.

    What it does not propose, such as a parameter of a condition that it left out, is drawn at
    random.
    """

    def __init__(self, space: Space, standing: Callable[[], Standing], seed: int) -> None:
        self._draws = Draws(space)
        self._standing = standing
        self._independent = RandomSampler(seed)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Every parameter of the space."""
        return {name: distribution(one) for name, one in self._draws.parameters.items()}

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A value at random."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def _against(self, study: Study, trial: FrozenTrial, standing: Standing) -> dict[str, Scalar]:
        """The baseline as a proposal, noted on the trial that will be held against it."""
        baseline = self._draws.params_of(standing.settings)
        study._storage.set_trial_user_attr(trial._trial_id, AGAINST, baseline)
        return baseline


class DifferenceGPSampler(OfSpace):
    """Proposes where an improvement over the present baseline is most to be expected.

    It learns from differences to the concurrent baseline with their own standard errors, which
    trials carry as user attributes (`lift`, `se`, `latency_ratio`, `latency_log_se`, `against`);
    running trials inform it by their newest figures.
    """

    def __init__(
        self,
        space: Space,
        standing: Callable[[], Standing],
        *,
        seed: int,
        mde: float = 0.02,
        startup_trials: int = 6,
    ) -> None:
        super().__init__(space, standing, seed)
        self._learner = Learner(
            space, seed, settings=standing().settings, mde=mde, startup=startup_trials
        )

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The learner's next proposal, and on the trial what it will be held against."""
        standing = self._standing()
        baseline = self._against(study, trial, standing)
        others = [one for one in study.get_trials(deepcopy=False) if one.number != trial.number]
        proposal = self._learner.propose(
            [row for one in others if (row := row_of(one)) is not None],
            baseline,
            taken=[one.params for one in others if one.user_attrs.get(AGAINST) == baseline],
            pending=[one.params for one in others if one.state == TrialState.RUNNING],
            limits=standing.limits,
        )
        return proposal or {}

    def reseed_rng(self) -> None:
        """Begin other draws, for a sampler that was copied."""
        self._independent.reseed_rng()
        self._learner.reseed()


class ArticleSampler(OfSpace):
    """The original article's mutator: the present baseline with one parameter at another value."""

    def __init__(self, space: Space, standing: Callable[[], Standing], *, seed: int) -> None:
        super().__init__(space, standing, seed)
        self._rng = np.random.default_rng(seed)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """One knob of the baseline, anywhere else."""
        baseline = self._against(study, trial, self._standing())
        return dict(self._draws.mutated(self._draws.fitted(baseline, self._rng), self._rng))


def row_of(trial: FrozenTrial) -> Row | None:
    """What a trial has measured, by its user attributes; None while that is nothing."""
    known = trial.user_attrs
    against, lift = known.get(AGAINST), measured(known.get("lift"), known.get("se"))
    if lift is None or not isinstance(against, dict) or not trial.params:
        return None
    ratio = known.get("latency_ratio")
    log_ratio = log(ratio) if isinstance(ratio, float) and ratio > 0.0 else None
    return Row(
        candidate=trial.params,
        baseline=against,
        lift=lift,
        log_latency=measured(log_ratio, known.get("latency_log_se")),
    )


def measured(value: object, se: object) -> Measured | None:
    """A figure with its error, where both are finite and the error is above 0."""
    if not isinstance(value, int | float) or not isinstance(se, int | float):
        return None
    return Measured(value, se) if isfinite(value) and isfinite(se) and se > 0.0 else None


def distribution(parameter: Parameter) -> BaseDistribution:
    """A parameter as Optuna draws it."""
    match parameter:
        case FloatParameter(low=low, high=high, step=step, log=on_log):
            return FloatDistribution(low, high, log=on_log, step=step)
        case IntParameter(low=low, high=high, step=step, log=on_log):
            return IntDistribution(low, high, log=on_log, step=step)
        case ChoiceParameter(choices=choices):
            return CategoricalDistribution(choices)
        case BoolParameter():
            return CategoricalDistribution((False, True))
