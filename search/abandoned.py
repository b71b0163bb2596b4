"""What a search holds while it goes on, and what one that died has left behind."""

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import ConfigError
from engine.experiment.entries import Decision
from engine.experiment.state import State
from search.books import Decisions
from search.opening import lapsed
from search.outcome import windows_of

ACTOR = "search"


@contextmanager
def alone(root: Path, experiment: str) -> Iterator[None]:
    """Hold the experiment for this process; the lock goes with the process, however it ends."""
    folder = root / "tune"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{experiment}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            why = f"{experiment} is being searched by another process; wait for it or end it"
            raise ConfigError(why) from error
        yield


def is_searched(root: Path, experiment: str) -> bool:
    """Whether some process holds this experiment."""
    try:
        with alone(root, experiment):
            return False
    except ConfigError:
        return True


def close_lapsed(decisions: Decisions, experiment: str, *, trial: str | None = None) -> None:
    """Close the windows whose trials are no longer there, so that they take no room."""

    def first(state: State) -> Decision | None:
        for window in windows_of(state, experiment):
            if window.is_open and window.kind == "trial" and trial in (None, window.trial):
                return lapsed(window, "its search is no longer there")
        return None

    while append(decisions, first):
        pass


def close_abandoned(root: Path, decisions: Decisions, workflow: str) -> None:
    """Close what other experiments on this workflow left open when their search died."""
    state = decisions.state()
    for name, other in state.experiments.items():
        held = any(one.is_open and one.kind == "trial" for one in windows_of(state, name))
        if other.workflow != workflow or not held:
            continue
        # An experiment that is searched elsewhere, this one included, holds its lock.
        with suppress(ConfigError), alone(root, name):
            close_lapsed(decisions, name)


def append(decisions: Decisions, decision: Decision | Callable[[State], Decision | None]) -> bool:
    """Write a decision of the search; whether there was one to write."""
    decide = decision if callable(decision) else lambda _: decision
    return decisions.append(decide, actor=ACTOR, clock=time.time) is not None
