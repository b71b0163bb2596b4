"""Proposals drawn from a space without any sampler: at random, or close to one that is known."""

from collections.abc import Collection, Mapping

import numpy as np

from engine.config.parameter import (
    BoolParameter,
    ChoiceParameter,
    FloatParameter,
    IntParameter,
    Parameter,
    Scalar,
    same,
)
from engine.config.paths import Setting
from engine.config.space import Space
from search.space import changes_of, group_name

Params = Mapping[str, Scalar]
"""A proposal as Optuna names it: one value for each group of switches and each parameter."""


class Draws:
    """Draws from one space; a parameter whose condition does not hold is left out."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self.parameters: dict[str, Parameter] = {
            group_name(group): ChoiceParameter(type="choice", choices=group)
            for group in space.exclusive
        }
        self.parameters |= {path: space.parameters[path] for path in space.ordered()}
        self._is_conditional = any(one.when for one in space.parameters.values())

    def random(self, rng: np.random.Generator) -> dict[str, Scalar]:
        """Every searched parameter at random."""
        return self.fitted({}, rng)

    def mutated(
        self,
        params: Params,
        rng: np.random.Generator,
        knobs: int = 1,
        among: Collection[str] | None = None,
    ) -> dict[str, Scalar]:
        """The proposal with this many of its parameters, or of those named, at other values."""
        changed = dict(params)
        named = self.parameters if among is None else among
        names = [name for name in self.parameters if name in changed and name in named]
        for index in rng.permutation(len(names))[:knobs]:
            name = names[index]
            before = changed[name]
            while same(changed[name], before):
                changed[name] = drawn(self.parameters[name], rng)
        return self.fitted(changed, rng) if self._is_conditional else changed

    def fitted(self, params: Params, rng: np.random.Generator) -> dict[str, Scalar]:
        """Leave out what is not searched beside the others, and draw what is and is missing."""
        fitting: dict[str, Scalar] = {}
        settings: dict[str, Setting] = {}
        for name, parameter in self.parameters.items():
            if not self._is_searched(name, settings):
                continue
            value = params.get(name)
            known = value is not None and parameter.takes(value)
            fitting[name] = value if known and value is not None else drawn(parameter, rng)
            if self._is_conditional:
                settings |= changes_of(self._space, {name: fitting[name]})
        return fitting

    def _is_searched(self, name: str, settings: Mapping[str, Setting]) -> bool:
        if not self._is_conditional or name not in self._space.parameters:
            return True
        return self._space.searches(name, settings)

    def params_of(self, settings: Mapping[str, Setting]) -> dict[str, Scalar]:
        """What a variant's settings amount to as a proposal, where the space could hold them."""
        params: dict[str, Scalar] = {}
        for group in self._space.exclusive:
            params |= {group_name(group): path for path in group if settings.get(path) is True}
        for path, parameter in self._space.parameters.items():
            value = settings.get(path)
            if self._space.searches(path, settings) and parameter.takes(value):
                assert isinstance(value, bool | int | float | str)
                params[path] = value
        return params

    def is_forbidden(self, params: Params, settings: Mapping[str, Setting]) -> bool:
        """Whether the proposal, over these settings, holds a combination that is never proposed."""
        if not self._space.forbidden:
            return False
        return self._space.forbids({**settings, **changes_of(self._space, params)})


def drawn(parameter: Parameter, rng: np.random.Generator) -> Scalar:
    """One value of a parameter, evenly on its own scale."""
    match parameter:
        case FloatParameter(low=low, high=high, log=True):
            return float(np.exp(rng.uniform(np.log(low), np.log(high))))
        case FloatParameter(low=low, high=high, step=None):
            return float(rng.uniform(low, high))
        case FloatParameter(low=low, high=high, step=step):
            assert step is not None
            return low + step * int(rng.integers(round((high - low) / step) + 1))
        case IntParameter(low=low, high=high, log=True):
            return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))
        case IntParameter(low=low, high=high, step=step):
            return low + step * int(rng.integers((high - low) // step + 1))
        case ChoiceParameter(choices=choices):
            return choices[int(rng.integers(len(choices)))]
        case BoolParameter():
            return bool(rng.integers(2))
