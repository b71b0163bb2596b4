"""Where a search may look: everywhere, or only where a person points."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from engine.config.experiment import Experiment, LoadedExperiment
from engine.config.problem import did_you_mean
from engine.errors import ConfigError


def directed(loaded: LoadedExperiment, only: Sequence[str]) -> LoadedExperiment:
    """The experiment with only these parameters to search; all others stay as they are.

    `only` holds paths, or patterns such as `rag.*`. A parameter that waits for another brings it
    along, because alone it could never be searched.

    Raises:
        ConfigError: A pattern matches nothing.
    """
    if not only:
        return loaded
    experiment = loaded.experiment
    paths = {*experiment.space, *(path for group in experiment.exclusive for path in group)}
    for pattern in only:
        if not any(fnmatchcase(path, pattern) for path in paths):
            raise ConfigError(
                f"--only {pattern!r} matches no parameter of {loaded.path}; "
                f"{did_you_mean(pattern, paths)}"
            )
    kept = {path for path in paths if any(fnmatchcase(path, pattern) for pattern in only)}
    kept |= _conditions(experiment, kept)
    narrowed = experiment.model_copy(
        update={
            "space": {path: one for path, one in experiment.space.items() if path in kept},
            "exclusive": tuple(group for group in experiment.exclusive if kept & {*group}),
        }
    )
    return replace(loaded, experiment=narrowed)


def _conditions(experiment: Experiment, kept: set[str]) -> set[str]:
    """The parameters that the kept ones wait for, however far back."""
    found: set[str] = set()
    waiting = list(kept)
    while waiting:
        parameter = experiment.space.get(waiting.pop())
        for parent in (parameter.when or {}) if parameter is not None else {}:
            if parent not in found and parent in experiment.space:
                found.add(parent)
                waiting.append(parent)
    return found
