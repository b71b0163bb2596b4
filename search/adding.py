"""A candidate that a person asks for: checked against the space, and tried before others."""

from collections.abc import Mapping
from pathlib import Path

from engine.config.experiment import Experiment, space_of
from engine.config.paths import Setting
from engine.config.problem import did_you_mean
from engine.config.space import Space
from engine.config.wording import got
from engine.config.workflow import Workflow
from engine.errors import ConfigError, NotFoundError
from engine.experiment.entries import CandidateAdded
from engine.experiment.state import ExperimentState, State
from engine.experiment.variant import configured, variant_of
from search.books import Decisions
from search.space import group_name

Settings = dict[str, Setting]


class Wishes:
    """What persons ask an experiment for, as the ledger says; can be pickled, as Tune needs."""

    def __init__(self, root: Path, experiment: str) -> None:
        self._root = root
        self._experiment = experiment
        self._decisions: Decisions | None = None

    def __call__(self) -> list[dict[str, object]]:
        """What is to be tried still."""
        self._decisions = self._decisions or Decisions(self._root)
        return added_candidates(self._decisions.state(), self._experiment)

    def __getstate__(self) -> tuple[Path, str]:
        return self._root, self._experiment

    def __setstate__(self, state: tuple[Path, str]) -> None:
        self._root, self._experiment = state
        self._decisions = None


def added_candidates(state: State, experiment: str) -> list[dict[str, object]]:
    """What persons asked for, as whole proposals of the search, oldest first.

    Those that no longer differ from the baseline, or that it no longer allows, are left out.
    """
    known = state.experiments[experiment]
    proposals = []
    for changes in known.added:
        try:
            proposals.append(_proposal(state, known, changes))
        except ConfigError:
            continue
    return proposals


def addition(
    state: State, experiment: str, texts: Mapping[str, str], reason: str = ""
) -> CandidateAdded:
    """The decision to try a candidate, from settings as they were typed.

    Raises:
        ConfigError: A setting is not of the space, or the candidate is impossible, forbidden or
            was tried or added already.
        NotFoundError: The experiment never started.
    """
    known = state.experiments.get(experiment)
    if known is None:
        names = ", ".join(state.experiments) or "none"
        raise NotFoundError(f"experiment {experiment!r} never started; known: {names}")
    if known.ended is not None:
        raise ConfigError(f"{experiment} has ended ({known.ended}); start it again first")
    workflow = state.workflow(known.workflow)
    baseline = workflow.variants[workflow.baseline].settings
    space = space_of(Experiment.model_validate(known.config))
    changes = {path: _read(path, text, space, baseline) for path, text in texts.items()}
    _proposal(state, known, changes)
    if changes in known.added:
        raise ConfigError(f"{experiment}: this candidate was added already")
    return CandidateAdded(
        experiment=experiment, workflow=workflow.name, changes=changes, reason=reason
    )


def _read(path: str, text: str, space: Space, baseline: Mapping[str, Setting]) -> Setting:
    """A typed setting as the value that the space knows it by."""
    switches = [one for group in space.exclusive for one in group]
    if path in switches:
        if text != "true":
            raise ConfigError(f"{path}: got {text!r}; name the switch that is to be true")
        return True
    if path not in space.parameters:
        hint = did_you_mean(path, [*space.parameters, *switches])
        raise ConfigError(f"{path}: not searched by this experiment; {hint}")
    value = _parsed(text, baseline.get(path))
    if value is None or not space.parameters[path].takes(value):
        raise ConfigError(f"{path}: got {text!r}, which the space does not hold")
    return value


def _parsed(text: str, like: Setting | None) -> Setting | None:
    """The text as a value of the same type; None where it isn't one."""
    try:
        match like:
            case bool():
                return {"true": True, "false": False}.get(text)
            case int():
                return int(text)
            case float():
                return float(text)
            case _:
                return text
    except ValueError:
        return None


def _proposal(
    state: State, known: ExperimentState, changes: Mapping[str, Setting]
) -> dict[str, object]:
    """The search's parameters of the present baseline with these changes.

    Raises:
        ConfigError: The space or the workflow does not allow it, or it changes nothing, or it is
            tried now or was found unfit.
    """
    workflow = state.workflow(known.workflow)
    baseline = workflow.variants[workflow.baseline]
    space = space_of(Experiment.model_validate(known.config))
    settings = baseline.settings | _whole(space, changes)
    proposal = _parameters(space, settings, changes)
    if space.forbids(settings):
        raise ConfigError(f"{_written(changes)}: the experiment forbids this combination")
    installed = configured(Workflow.model_validate(workflow.config), baseline)
    candidate = variant_of(installed, _whole(space, changes))
    if candidate.hash == baseline.hash:
        raise ConfigError(f"{_written(changes)}: the baseline is set like this already")
    tried = [one for one in workflow.windows.values() if one.candidate == candidate.hash]
    if any(one.baseline == baseline.hash for one in tried):
        raise ConfigError(
            f"{candidate.hash} was tried already; `trimtab explain` tells how it went"
        )
    return proposal


def _whole(space: Space, changes: Mapping[str, Setting]) -> Settings:
    """The changes with what each chosen switch of a group means for the others of it."""
    whole = dict(changes)
    for group in space.exclusive:
        chosen = [path for path in group if path in changes]
        if len(chosen) > 1:
            raise ConfigError(f"{' and '.join(chosen)}: only one of them can be true")
        if chosen:
            whole |= {path: path == chosen[0] for path in group}
    return whole


def _parameters(
    space: Space, settings: Mapping[str, Setting], changes: Mapping[str, Setting]
) -> dict[str, object]:
    proposal: dict[str, object] = {
        group_name(group): next(path for path in group if settings[path] is True)
        for group in space.exclusive
    }
    for path, parameter in space.parameters.items():
        if not space.searches(path, settings):
            if path in changes:
                raise ConfigError(f"{path}: has no effect here; set {_condition(space, path)} too")
        elif parameter.takes(settings[path]):
            proposal[path] = settings[path]
        else:
            why = f"the baseline has {got(settings[path])}, which the space does not hold"
            raise ConfigError(f"{path}: {why}; set it too")
    return proposal


def _condition(space: Space, path: str) -> str:
    return _written(space.parameters[path].when or {})


def _written(changes: Mapping[str, Setting]) -> str:
    return ", ".join(f"{path}={str(value).lower()}" for path, value in changes.items())
