"""What a proposal will be held against: the present baseline, and the margins that are left."""

import contextlib
from pathlib import Path

from engine.config.experiment import Experiment
from engine.experiment.anchor import spent_by
from engine.experiment.state import State
from search.books import Decisions
from search.learning.propose import Limits
from search.learning.sampler import Standing

WITHIN = 0.98
"""A proposal aims a little below the latency margin: what lies on it takes for ever to prove."""


class Ledger:
    """Reads the standing from the ledger; can be pickled, because Tune pickles its searcher."""

    def __init__(self, root: Path, experiment: str) -> None:
        self._root = root
        self._experiment = experiment

    def __call__(self) -> Standing:
        """As the newest entry has it."""
        with contextlib.closing(Decisions(self._root)) as decisions:
            return standing(decisions.state(), self._experiment)


def standing(state: State, experiment: str) -> Standing:
    """The baseline's settings, and what earlier promotions have left of the latency ratio."""
    known = state.experiments[experiment]
    rails = Experiment.model_validate(known.config).guardrails
    workflow = state.workflow(known.workflow)
    spent = spent_by(workflow, workflow.baseline, state.seq, rails.latency_ratio)
    return Standing(
        settings=workflow.variants[workflow.baseline].settings,
        limits=Limits(
            latency_ratio=WITHIN * rails.latency_ratio / spent, error_margin=rails.error_margin
        ),
    )
