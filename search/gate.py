"""Whether the search may propose: as the ledger says, not as the searcher remembers."""

import time
from pathlib import Path
from typing import Literal

from engine.config.experiment import Experiment
from engine.experiment.state import ExperimentState, State
from search.books import Decisions

Passage = Literal["open", "waiting", "over"]

LOOK_S = 0.5
"""Tune asks ten times a second; the ledger is read at most this often."""


def passage(state: State, experiment: str, now: float) -> Passage:
    """Over once the experiment has ended, promoted enough or had its time; waiting during a ramp.

    A ramp that is rolled back lets the search go on with the trials that are left.
    """
    known = state.experiments.get(experiment)
    if known is None or known.ended is not None:
        return "over"
    config = Experiment.model_validate(known.config)
    if len(known.promoted) >= config.max_promotions:
        return "over"
    if state.workflow(known.workflow).ramp is not None:
        return "waiting"
    return "over" if is_out_of_time(known, config, now) else "open"


def is_out_of_time(known: ExperimentState, config: Experiment, now: float) -> bool:
    """Whether the experiment has gone on for as long as it may."""
    limit_s = config.max_duration_s
    return limit_s is not None and now - known.started_at >= limit_s


class Gate:
    """Asks the ledger for passage; can be pickled, because Tune pickles its searcher."""

    def __init__(self, root: Path, experiment: str) -> None:
        self._root = root
        self._experiment = experiment
        self._decisions: Decisions | None = None
        self._looked_at = -LOOK_S
        self._last: Passage = "waiting"

    def __call__(self) -> Passage:
        """The newest answer."""
        if time.monotonic() - self._looked_at >= LOOK_S:
            self._decisions = self._decisions or Decisions(self._root)
            self._last = passage(self._decisions.state(), self._experiment, time.time())
            self._looked_at = time.monotonic()
        return self._last

    def __getstate__(self) -> tuple[Path, str]:
        return self._root, self._experiment

    def __setstate__(self, state: tuple[Path, str]) -> None:
        self.__init__(*state)  # type: ignore[misc]  # an unpickled gate begins anew
