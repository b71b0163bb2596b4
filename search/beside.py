"""Whether one more experiment fits beside those that go on, on the same workflow.

All experiments on a workflow share one layout of lanes, so a unit meets the candidate of at most
one of them, and the baseline's units serve every comparison: candidates of two experiments never
mix, and nothing is lost by cutting the traffic in parts first. What two experiments can take from
each other is room, and that is checked before the second begins.
"""

from collections.abc import Callable
from math import floor

from engine.config.experiment import SPARE_SLOTS, Experiment
from engine.config.workflow import Workflow
from engine.errors import ConfigError
from engine.experiment.state import State, WorkflowState

_ROUNDING = 1e-9


def check_beside(
    state: State, workflow: str, experiment: Experiment, is_searched: Callable[[str], bool]
) -> None:
    """Refuse an experiment that would take traffic or slots which others may claim.

    `is_searched` tells whether anybody still searches an experiment; one that was left behind
    claims nothing.

    Raises:
        ConfigError: Says what is free, and what to change.
    """
    others = [
        Experiment.model_validate(known.config)
        for name, known in state.experiments.items()
        if known.workflow == workflow
        and known.ended is None
        and name != experiment.experiment
        and is_searched(name)
    ]
    if others:
        _check_traffic(experiment, others)
        _check_slots(state.workflow(workflow), experiment, others)


def _check_traffic(experiment: Experiment, others: list[Experiment]) -> None:
    """Every experiment's candidates together leave the largest holdback to be compared with."""
    taken = sum(one.windows.most for one in others)
    left = 1.0 - taken - max(one.holdback for one in (experiment, *others))
    if experiment.windows.most <= left + _ROUNDING:
        return
    names = ", ".join(one.experiment for one in others)
    free = f"only {floor(1_000 * left) / 1_000:g} are free" if left > 0.0 else "nothing is free"
    raise ConfigError(
        f"{experiment.experiment}: its candidates may take {experiment.windows.most:g} of the "
        f"traffic, and beside {names} {free}; lower windows.exploration_cap, or wait"
    )


def _check_slots(workflow: WorkflowState, experiment: Experiment, others: list[Experiment]) -> None:
    config = Workflow.model_validate(workflow.config)
    slots, spare = config.deploy.slots, SPARE_SLOTS + (config.holdout > 0.0)
    needed = spare + sum(one.windows.concurrent for one in (experiment, *others))
    if needed > slots:
        names = ", ".join(one.experiment for one in others)
        raise ConfigError(
            f"{experiment.experiment}: with {names} it needs {needed} slots and {workflow.name} "
            f"has {slots}; lower windows.concurrent, raise deploy.slots, or wait"
        )
