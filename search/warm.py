"""What earlier experiments on the same workflow have measured, for a search that begins."""

from collections.abc import Iterator, Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from engine.config.paths import Setting
from engine.config.space import Space
from engine.experiment.state import WorkflowState
from engine.experiment.variant import differences
from engine.experiment.window import Window
from engine.stats.allocation import posterior
from search.draws import Draws
from search.learning.propose import Limits
from search.learning.sampler import AGAINST, EARLIER, distribution, measured
from search.searcher import NOTED, constraints_of
from search.space import group_name


def start_warm(study: optuna.Study, workflow: WorkflowState, space: Space, limits: Limits) -> int:
    """Put the workflow's earlier measurements into a study that begins; how many there were.

    A lift over the baseline of its time stays true whatever is the baseline now, so it informs a
    search by differences; as a trial's value it is shrunk by its error. What differed in settings
    that are not searched now is left out, because a model of this space can't tell what they did.
    """
    trials = list(_trials(workflow, space, limits))
    study.add_trials(trials)
    return len(trials)


def _trials(workflow: WorkflowState, space: Space, limits: Limits) -> Iterator[FrozenTrial]:
    """The newest decided window of each pair, oldest first."""
    draws = Draws(space)
    closed = [one for one in workflow.windows.values() if one.kind == "trial" and not one.is_open]
    for window in {(one.candidate, one.baseline): one for one in closed}.values():
        candidate = workflow.variants[window.candidate]
        baseline = workflow.variants[window.baseline]
        figures = _figures(window)
        lift = measured(figures.get("lift"), figures.get("se"))
        is_told = differences(baseline, candidate).keys() <= _paths(space)
        if lift is None or not is_told:
            continue
        params = draws.params_of(candidate.settings)
        if params.keys() != _searched(space, candidate.settings):
            continue
        yield create_trial(
            state=TrialState.COMPLETE,
            value=posterior(lift.value, lift.se).mean,
            params=dict(params),
            distributions={name: distribution(draws.parameters[name]) for name in params},
            user_attrs={
                EARLIER: window.experiment,
                AGAINST: draws.params_of(baseline.settings),
                **{name: figures[name] for name in NOTED if figures.get(name) is not None},
            },
            constraints=constraints_of(figures, limits),
        )


def _figures(window: Window) -> Mapping[str, Any]:
    """What a trial reports of its window, from the verdict that closed it."""
    verdict = window.verdict
    known = {} if verdict is None else {**verdict.figures, "cause": verdict.cause}
    units = known.get("candidate_units")
    return {**known, "window": window.id, "candidate": window.candidate, "units": units}


def _paths(space: Space) -> set[str]:
    """Every setting that the space may change."""
    return {*space.parameters, *(path for group in space.exclusive for path in group)}


def _searched(space: Space, settings: Mapping[str, Setting]) -> set[str]:
    """The parameters that a proposal with these settings has."""
    paths = {path for path in space.parameters if space.searches(path, settings)}
    return paths | {group_name(group) for group in space.exclusive}
