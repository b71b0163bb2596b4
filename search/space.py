"""The space as Optuna draws from it, and what was drawn as changes of a workflow's settings."""

from collections.abc import Mapping

import optuna

from engine.config.parameter import (
    BoolParameter,
    ChoiceParameter,
    FloatParameter,
    IntParameter,
    Parameter,
)
from engine.config.paths import Setting
from engine.config.space import Space


def define(space: Space, trial: optuna.Trial) -> None:
    """Draw one proposal: groups of switches first, then each parameter after those it waits for.

    A parameter whose condition does not hold is not drawn at all, so that the sampler learns
    nothing about it. Forbidden combinations can be drawn; whoever asks Optuna draws again then,
    because a range that depended on other draws would be another parameter to Optuna.
    """
    settings: dict[str, Setting] = {}
    for group in space.exclusive:
        chosen = trial.suggest_categorical(group_name(group), group)
        settings |= _switched(group, str(chosen))
    for path in space.ordered():
        if space.searches(path, settings):
            settings[path] = _drawn(trial, path, space.parameters[path])


def changes_of(space: Space, params: Mapping[str, object]) -> dict[str, Setting]:
    """Optuna's parameters as changes of a workflow's settings; other keys are left out."""
    changes: dict[str, Setting] = {}
    for group in space.exclusive:
        if group_name(group) in params:
            changes |= _switched(group, str(params[group_name(group)]))
    for path in space.parameters:
        value = params.get(path)
        if isinstance(value, bool | int | float | str):
            changes[path] = value
    return changes


def group_name(group: tuple[str, ...]) -> str:
    """The one parameter that stands for a group of which exactly one switch is true."""
    return "|".join(group)


def _switched(group: tuple[str, ...], chosen: str) -> dict[str, Setting]:
    return {path: path == chosen for path in group}


def _drawn(trial: optuna.Trial, path: str, parameter: Parameter) -> Setting:
    match parameter:
        case FloatParameter(low=low, high=high, step=step, log=log):
            return trial.suggest_float(path, low, high, step=step, log=log)
        case IntParameter(low=low, high=high, step=step, log=log):
            return trial.suggest_int(path, low, high, step=step, log=log)
        case ChoiceParameter(choices=choices):
            return _setting(trial.suggest_categorical(path, choices))
        case BoolParameter():
            return bool(trial.suggest_categorical(path, (False, True)))


def _setting(value: object) -> Setting:
    assert isinstance(value, bool | int | float | str)
    return value
