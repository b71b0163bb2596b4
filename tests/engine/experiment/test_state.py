import pytest

from engine.errors import NotFoundError
from engine.experiment.state import State
from tests.engine.experiment.examples import BERT, RAMPED, TRIED, opened, told


def test_an_empty_ledger_is_an_empty_state():
    assert told() == State()


def test_a_workflow_that_nobody_installed_is_not_found():
    with pytest.raises(NotFoundError, match="'mail' is not installed; installed: docs"):
        told(*TRIED).workflow("mail")
    with pytest.raises(NotFoundError, match="installed: none"):
        State().workflow("mail")


def test_a_window_is_found_open_or_closed():
    state = told(*RAMPED)

    assert state.window("r1").is_open
    assert not state.window("w1").is_open


def test_a_window_that_nobody_opened_is_not_found():
    with pytest.raises(NotFoundError, match="'w9' was never opened"):
        told(*TRIED).window("w9")


def test_open_windows_come_oldest_first():
    workflow = told(*TRIED, opened("w2", BERT)).workflow("docs")

    assert [one.id for one in workflow.open_windows] == ["w1", "w2"]
    assert (workflow.ramp, workflow.holdback) == (None, None)


def test_a_window_without_a_past_is_a_chain_of_itself():
    state = told(*TRIED)

    assert state.workflow("docs").chain(state.window("w1")) == (state.window("w1"),)
