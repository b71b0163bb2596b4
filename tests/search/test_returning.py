"""What a window has not lost of its level goes back to the alpha budget when it ends for good."""

import math

import pytest

from engine.experiment.entries import (
    Decision,
    ExperimentStarted,
    Installed,
    WindowClosed,
    WindowOpened,
)
from engine.experiment.fold import after
from engine.experiment.state import State
from engine.experiment.variant import variant_of
from engine.experiment.verdict import Verdict
from engine.stats.alpha import Spent, next_alpha
from search.opening import Proposal, opening
from tests.search.stage import WORKFLOW, experiment_of

BASELINE = variant_of(WORKFLOW)
FIRST, OTHER = (variant_of(WORKFLOW, {"rag.top_k": k}) for k in (9, 7))
LONG = experiment_of(windows=experiment_of().windows.model_dump() | {"max_trials": 100})


def continued(state: State, *decisions: Decision) -> State:
    for decision in decisions:
        state = after(state, decision, seq=state.seq + 1, at=float(state.seq))
    return state


def opened_state():
    state = continued(
        State(),
        Installed(workflow="docs", baseline=BASELINE, workflow_config={}),
        ExperimentStarted(experiment="docs-qa", workflow="docs", config={}, seed=0),
    )
    move = opening(state, proposal())
    assert isinstance(move, WindowOpened)
    return continued(state, move), move


def proposal(trial="a", candidate=FIRST, experiment=LONG):
    return Proposal(trial=trial, candidate=candidate, experiment=experiment)


def ended(move: WindowOpened, cause: str, log_e: float | None) -> WindowClosed:
    verdict = Verdict(action="stop", cause=cause, reason="so it was", figures={"log_e": log_e})
    return WindowClosed(window=move.window, verdict=verdict)


@pytest.mark.parametrize("cause", ["futility", "harm", "errors", "latency", "budget"])
def test_what_a_concluded_window_has_not_lost_is_there_again(cause):
    state, move = opened_state()
    over = continued(state, ended(move, cause, math.log(0.75)))

    again = opening(over, proposal("b", OTHER))

    assert isinstance(again, WindowOpened)
    spent = [Spent(move.alpha, 0, 0.75 * move.alpha)]
    assert again.alpha == pytest.approx(next_alpha(spent, alpha=0.05))


@pytest.mark.parametrize(
    ("cause", "log_e"), [("ended", -0.1), ("srm", -0.1), ("operator", -0.1), ("futility", None)]
)
def test_what_may_go_on_or_is_no_evidence_returns_nothing(cause, log_e):
    state, move = opened_state()
    over = continued(state, ended(move, cause, log_e))

    again = opening(over, proposal("b", OTHER))

    assert isinstance(again, WindowOpened)
    assert again.alpha == pytest.approx(next_alpha([Spent(move.alpha, 0)], alpha=0.05))


def test_where_looks_or_discoveries_are_planned_nothing_returns():
    state, move = opened_state()
    over = continued(state, ended(move, "futility", math.log(0.75)))
    kept = pytest.approx(next_alpha([Spent(move.alpha, 0)], alpha=0.05))

    for change in ({"policy": "group-sequential"}, {"alpha_mode": "fdr"}):
        again = opening(over, proposal("b", OTHER, LONG.model_copy(update=change)))

        assert isinstance(again, WindowOpened)
        assert again.alpha == kept


def test_evidence_that_went_on_returns_what_its_newest_window_left():
    state, move = opened_state()
    state = continued(state, ended(move, "ended", -0.1))
    second = opening(state, proposal())
    assert isinstance(second, WindowOpened)
    assert second.continues == (move.window,)
    over = continued(state, second, ended(second, "futility", math.log(0.5)))

    again = opening(over, proposal("b", OTHER))

    assert isinstance(again, WindowOpened)
    spent = [Spent(move.alpha, 0, 0.5 * move.alpha)]
    assert again.alpha == pytest.approx(next_alpha(spent, alpha=0.05))
