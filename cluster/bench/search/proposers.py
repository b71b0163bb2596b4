"""Ways to name the next candidate on a surface, from blind to Bayesian."""

import warnings

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning

from engine.config.parameter import Scalar
from search.draws import Draws
from search.replay.proposing import Place
from search.replay.surface import Surface, name_of
from search.space import define

FRESH = 200
"""Draws in search of a candidate that was not tried against this baseline."""


class RandomSettings:
    """Settings at random."""

    def __init__(self, surface: Surface, seed: int) -> None:
        self._surface = surface
        self._draws = Draws(surface.space)
        self._rng = np.random.default_rng(seed)

    def propose(self, place: Place) -> str | None:
        """Any settings that were not tried against this baseline."""
        for _ in range(FRESH):
            name = name_of(self._drawn(place.baseline))
            if name not in place.tried:
                return name
        return None

    def _drawn(self, baseline: str) -> dict[str, Scalar]:
        return self._draws.random(self._rng)


class OneKnob(RandomSettings):
    """The baseline with one parameter at another value: the original article's mutator."""

    def _drawn(self, baseline: str) -> dict[str, Scalar]:
        return self._draws.mutated(self._surface.settings(baseline), self._rng)


class RawTpe:
    """Optuna's tree of Parzen estimators on each window's raw rate."""

    def __init__(self, surface: Surface, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._surface = surface
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._asked: dict[str, optuna.Trial] = {}
        self._told = 0

    def propose(self, place: Place) -> str | None:
        """Tell what has ended, and ask for the next."""
        for row in place.rows[self._told :]:
            trial = self._asked.pop(row.candidate, None)
            if trial is not None:
                state = None if row.rate is not None else optuna.trial.TrialState.FAIL
                self._study.tell(trial, row.rate, state=state)
        self._told = len(place.rows)
        for _ in range(FRESH):
            trial = self._study.ask()
            define(self._surface.space, trial)
            name = name_of(trial.params)
            if name not in self._asked and name != place.baseline:
                self._asked[name] = trial
                return name
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
        return None
