"""Settings of a space to be tried beside the baseline's."""

from collections.abc import Iterator

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

Changes = dict[str, Setting]


def single_changes(space: Space, baseline: dict[str, Setting]) -> Iterator[Changes]:
    """Every change of one parameter to another of a few typical values, low to high.

    A parameter that has a condition is changed together with it.
    """
    for path, parameter in space.parameters.items():
        for value in _typical(parameter):
            if not same(value, baseline[path]):
                yield {**(parameter.when or {}), path: value}
    for group in space.exclusive:
        for chosen in group:
            if not baseline[chosen]:
                yield {path: path == chosen for path in group}


def random_changes(space: Space, dice: np.random.Generator) -> Changes:
    """Settings drawn evenly from the space, never a forbidden combination."""
    while True:
        drawn: Changes = {}
        for group in space.exclusive:
            chosen = group[dice.integers(len(group))]
            drawn |= {path: path == chosen for path in group}
        for path in space.ordered():
            if space.searches(path, drawn):
                drawn[path] = _drawn(space.parameters[path], dice)
        if not space.forbids(drawn):
            return drawn


def named(changes: Changes) -> str:
    """The changes as one reads them in a table."""
    return ", ".join(f"{path} = {value}" for path, value in changes.items())


def _typical(parameter: Parameter) -> tuple[Scalar, ...]:
    match parameter:
        case ChoiceParameter(choices=choices):
            return choices
        case BoolParameter():
            return (False, True)
        case IntParameter(low=low, high=high):
            return tuple(dict.fromkeys((low, round((low + high) / 2), high)))
        case FloatParameter(low=low, high=high):
            return (low, (low + high) / 2.0, high)


def _drawn(parameter: Parameter, dice: np.random.Generator) -> Scalar:
    match parameter:
        case ChoiceParameter(choices=choices):
            return choices[dice.integers(len(choices))]
        case BoolParameter():
            return bool(dice.integers(2))
        case IntParameter(low=low, high=high, step=step):
            return int(low + step * dice.integers((high - low) // step + 1))
        case FloatParameter(low=low, high=high):
            return float(dice.uniform(low, high))
