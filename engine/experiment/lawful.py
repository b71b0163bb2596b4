"""What every decision is checked against before it changes the state."""

from engine.errors import LedgerCorruptError
from engine.experiment.expected import Expected
from engine.experiment.split import BUCKETS
from engine.experiment.state import ExperimentState, State, WorkflowState
from engine.experiment.window import Window


def require(lawful: bool, seq: int, why: str) -> None:
    """Refuse the entry unless it is lawful.

    Raises:
        LedgerCorruptError: It isn't.
    """
    if not lawful:
        raise LedgerCorruptError(seq, why)


def workflow_of(state: State, name: str, seq: int) -> WorkflowState:
    """The installed workflow.

    Raises:
        LedgerCorruptError: It isn't installed.
    """
    if name not in state.workflows:
        raise LedgerCorruptError(seq, f"workflow {name} is not installed")
    return state.workflows[name]


def experiment_of(state: State, name: str, workflow: str, seq: int) -> ExperimentState:
    """The experiment on this workflow, whether it goes on or has ended.

    Raises:
        LedgerCorruptError: It never started, or on another workflow.
    """
    experiment = state.experiments.get(name)
    if experiment is None or experiment.workflow != workflow:
        raise LedgerCorruptError(seq, f"no experiment {name} was started on {workflow}")
    return experiment


def open_window(state: State, id_: str, seq: int) -> tuple[WorkflowState, Window]:
    """The window with its workflow.

    Raises:
        LedgerCorruptError: It was never opened, or is closed already.
    """
    for workflow in state.workflows.values():
        window = workflow.windows.get(id_)
        if window is not None:
            require(window.is_open, seq, f"window {id_} is closed already")
            return workflow, window
    raise LedgerCorruptError(seq, f"window {id_} was never opened")


def check_opening(state: State, window: Window, seq: int) -> None:
    """Refuse a trial or a ramp that its workflow has no place for.

    Raises:
        LedgerCorruptError: Says which law it breaks.
    """
    workflow = workflow_of(state, window.workflow, seq)
    taken = any(window.id in other.windows for other in state.workflows.values())
    require(not taken, seq, f"window {window.id} exists already")
    require(window.baseline == workflow.baseline, seq, "the baseline is another one by now")
    require(window.candidate != window.baseline, seq, "the candidate is the baseline itself")
    require(workflow.ramp is None, seq, "a nominated candidate is being ramped")
    require(0 < window.share <= window.lane, seq, "the share does not fit its lane")


def check_lanes(workflow: WorkflowState, window: Window, seq: int) -> None:
    """Refuse a window whose lane leaves the baseline nothing to be compared with.

    Raises:
        LedgerCorruptError: It does.
    """
    taken = sum(other.lane for other in workflow.open_windows)
    require(taken + window.lane < BUCKETS, seq, "the lanes leave the baseline nothing")


def check_chain(workflow: WorkflowState, window: Window, seq: int) -> None:
    """Refuse to go on with evidence that was gathered for another question.

    A level or a frozen mean chosen anew would be chosen after looking.

    Raises:
        LedgerCorruptError: An earlier window is open still, or differs in what it asked.
    """
    for id_ in window.continues:
        earlier = workflow.windows.get(id_)
        same = (
            earlier is not None and not earlier.is_open and _question(earlier) == _question(window)
        )
        require(same, seq, f"{id_} is no closed window of the same pair, level and mean")


def _question(window: Window) -> tuple[str, str, float, float, Expected | None]:
    return window.candidate, window.baseline, window.alpha, window.f0, window.expected
