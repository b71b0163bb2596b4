"""A search that begins with one block of its space."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from engine.config.space import Space
from search.draws import drawn
from search.learning.sampler import EARLIER, OfSpace, Standing


class FocusedSampler(OfSpace):
    """Lets another sampler propose once the first proposals have varied one block.

    Half of those change one parameter of the block, half all of them; everything else stays as in
    the present baseline.
    """

    def __init__(
        self,
        space: Space,
        standing: Callable[[], Standing],
        inner: BaseSampler,
        names: Collection[str],
        *,
        trials: int,
        seed: int,
    ) -> None:
        super().__init__(space, standing, seed)
        self._inner = inner
        self._names = frozenset(names)
        self._trials = trials
        self._rng = np.random.default_rng(seed)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Every parameter at first, then whatever the other sampler relates."""
        if self._is_first(study, trial):
            return super().infer_relative_search_space(study, trial)
        return self._inner.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The present baseline with the block, or one parameter of it, at other values."""
        if not self._is_first(study, trial):
            return self._inner.sample_relative(study, trial, search_space)
        baseline = self._against(study, trial, self._standing())
        fitted = self._draws.fitted(baseline, self._rng)
        if self._rng.random() < 0.5:
            return dict(self._draws.mutated(fitted, self._rng, among=self._names))
        block = {
            name: drawn(parameter, self._rng)
            for name, parameter in self._draws.parameters.items()
            if name in self._names
        }
        return dict(self._draws.fitted(fitted | block, self._rng))

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """As the other sampler does."""
        return self._inner.sample_independent(study, trial, param_name, param_distribution)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        """As the other sampler does."""
        self._inner.before_trial(study, trial)

    def after_trial(self, study: Study, trial: FrozenTrial, state: TrialState, values: Any) -> None:
        """As the other sampler does."""
        self._inner.after_trial(study, trial, state, values)

    def reseed_rng(self) -> None:
        """Begin other draws, for a sampler that was copied."""
        self._inner.reseed_rng()
        self._rng = np.random.default_rng()

    def _is_first(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether few of this search's own trials came before; other experiments' don't count."""
        before = study.get_trials(deepcopy=False)[: trial.number]
        return sum(EARLIER not in one.user_attrs for one in before) < self._trials
