import pytest

from engine.experiment.entries import (
    Decision,
    ExperimentEnded,
    ExperimentStarted,
    Installed,
    Nominated,
    Promoted,
    RolledBack,
    WindowClosed,
    WindowOpened,
)
from engine.experiment.fold import after
from engine.experiment.state import State
from engine.experiment.variant import variant_of
from engine.experiment.verdict import Verdict
from search.opening import NoRoom, Over, Proposal, lapsed, level_of, opening
from tests.search.stage import WORKFLOW, experiment_of

BASELINE = variant_of(WORKFLOW)
CANDIDATE = variant_of(WORKFLOW, {"rag.top_k": 9})
EXPERIMENT = experiment_of()


def state_after(*decisions: Decision) -> State:
    state = State()
    begun = (
        Installed(workflow="docs", baseline=BASELINE, workflow_config={}),
        ExperimentStarted(experiment="docs-qa", workflow="docs", config={}, seed=0),
    )
    for decision in (*begun, *decisions):
        state = after(state, decision, seq=state.seq + 1, at=float(state.seq))
    return state


def continued(state: State, *decisions: Decision) -> State:
    for decision in decisions:
        state = after(state, decision, seq=state.seq + 1, at=float(state.seq))
    return state


def proposal(trial: str = "a", candidate=CANDIDATE, experiment=EXPERIMENT, f0: float = 0.6):
    return Proposal(trial=trial, candidate=candidate, experiment=experiment, f0=f0)


def closed(window: str, cause: str, action: str = "stop") -> WindowClosed:
    return WindowClosed(
        window=window, verdict=Verdict(action=action, cause=cause, reason="so it was")
    )


def opened_state():
    state = state_after()
    move = opening(state, proposal())
    assert isinstance(move, WindowOpened)
    return continued(state, move), move


def test_an_opening_is_lawful_and_names_its_trial():
    state, move = opened_state()

    assert state.window(move.window).is_open
    assert (move.trial, move.f0, move.continues) == ("a", 0.6, ())
    assert "," not in move.window


def test_a_window_left_open_by_an_earlier_life_is_closed_first():
    state, move = opened_state()

    again = opening(state, proposal())

    assert isinstance(again, WindowClosed)
    assert (again.window, again.verdict.cause) == (move.window, "ended")


@pytest.mark.parametrize("cause", ["ended", "superseded", "operator", "not_seated"])
def test_evidence_that_was_cut_short_is_continued_by_the_next_trial_of_the_pair(cause):
    state, move = opened_state()
    state = continued(state, closed(move.window, cause))

    again = opening(state, proposal(trial="b", f0=0.9))

    assert isinstance(again, WindowOpened)
    assert again.continues == (move.window,)
    assert (again.alpha, again.f0) == (move.alpha, move.f0)
    continued(state, again)


@pytest.mark.parametrize("cause", ["harm", "errors", "srm", "futility", "budget"])
def test_a_verdict_on_the_evidence_stands_for_the_pair(cause):
    state, move = opened_state()
    state = continued(state, closed(move.window, cause))

    again = opening(state, proposal(trial="b"))

    assert isinstance(again, Over)
    assert again.cause == "duplicate"


def test_a_pair_on_trial_is_not_tried_twice_at_once():
    state, _ = opened_state()

    again = opening(state, proposal(trial="b"))

    assert isinstance(again, Over)
    assert again.cause == "duplicate"


def test_a_new_beginning_pays_for_its_own_tests():
    state, move = opened_state()
    state = continued(
        state,
        closed(move.window, "futility"),
        ExperimentStarted(experiment="other", workflow="docs", config={}, seed=0),
    )
    other = experiment_of(experiment="other")

    again = opening(state, proposal(trial="b", experiment=other))

    assert isinstance(again, WindowOpened)
    assert again.continues == ()


def test_what_harmed_once_is_not_tried_in_a_new_beginning_either():
    state, move = opened_state()
    state = continued(
        state,
        closed(move.window, "harm"),
        ExperimentStarted(experiment="other", workflow="docs", config={}, seed=0),
    )

    again = opening(state, proposal(trial="b", experiment=experiment_of(experiment="other")))

    assert isinstance(again, Over)


def test_nothing_opens_while_a_candidate_is_ramped():
    state, move = opened_state()
    nominated = Nominated(
        window="r4-a",
        trial="a",
        experiment="docs-qa",
        workflow="docs",
        candidate=move.candidate.hash,
        baseline=move.baseline,
        share=250_000,
        lane=900_000,
        alpha=move.alpha,
        f0=move.f0,
        lease_s=10.0,
        continues=(move.window,),
        verdict=Verdict(action="promote", cause="evidence", reason="better"),
    )
    state = continued(state, nominated)

    move = opening(state, proposal(trial="b", candidate=variant_of(WORKFLOW, {"rag.top_k": 2})))

    assert isinstance(move, NoRoom)


def test_a_forbidden_combination_never_opens_a_window():
    forbids = experiment_of(
        space={"rag.top_k": {"type": "int", "low": 1, "high": 12}},
        forbidden=[{"rag.top_k": 9, "llm.prompt": "plain"}],
    )

    move = opening(state_after(), proposal(experiment=forbids))

    assert move == Over("stop", "forbidden")


@pytest.mark.parametrize("cause", ["harm", "errors", "regression"])
def test_what_was_rolled_back_is_not_tried_against_the_same_baseline_again(cause):
    worse = Verdict(action="rollback", cause=cause, reason="users got worse")
    state, _ = opened_state()
    promoted = Promoted(
        workflow="docs",
        before=BASELINE.hash,
        after=CANDIDATE.hash,
        holdback=100_000,
        reason="it looked good",
    )
    back = RolledBack(
        workflow="docs", before=CANDIDATE.hash, after=BASELINE.hash, reason="no", verdict=worse
    )
    state = continued(state, promoted, back)

    move = opening(state, proposal(trial="b"))

    assert isinstance(move, Over)
    assert (move.cause, move.window.kind) == ("duplicate", "holdback")


@pytest.mark.parametrize(("launched", "share"), [(0, 4), (1, 3), (3, 1), (9, 1)])
def test_trials_that_are_left_after_a_promotion_share_a_whole_budget(stage, launched, share):
    workflow = stage.workflow.with_launched("docs-qa", launched)
    known = stage.decisions.state().experiments["docs-qa"]

    assert level_of(workflow, known, stage.experiment) == pytest.approx(0.05 / share)


def test_a_trial_is_counted_once_however_often_it_is_continued(stage):
    stage.on_sleep = stage.wait
    for trial in ("a", "a", "b"):
        next(stage.life(trial, **{"rag.top_k": 9 if trial == "a" else 8}).reports())
        if trial == "a":
            window = stage.workflow.open_windows[-1]
            stage.append(lapsed(window, "its process died"))

    assert stage.workflow.launched == {"docs-qa": 2}


def test_a_new_beginning_counts_its_trials_anew(stage):
    next(stage.life("a").reports())
    stage.append(ExperimentEnded(experiment="docs-qa", reason="enough"))
    stage.start()

    assert stage.workflow.launched == {"docs-qa": 0}


def test_in_mode_fdr_every_trial_pays_and_every_promotion_earns(stage):
    fdr = experiment_of(alpha_mode="fdr")
    known = stage.decisions.state().experiments["docs-qa"]
    stage.on_sleep = stage.wait
    next(stage.life("a").reports())
    workflow = stage.workflow
    (window,) = workflow.open_windows
    paid = known.model_copy(update={"paid": {window.id: 0}})
    earned = paid.model_copy(update={"promoted": ("x",), "windows": ()})

    first, second, third = (level_of(workflow, one, fdr) for one in (known, paid, earned))

    assert first == pytest.approx(0.05 / 16)
    assert second == pytest.approx((0.05 - window.alpha) / 16.5)
    assert third == pytest.approx(2 * second)


def test_what_a_window_paid_is_on_record_with_the_promotions_before_it(stage):
    stage.on_sleep = stage.wait
    next(stage.life("a").reports())

    known = stage.decisions.state().experiments["docs-qa"]
    assert known.paid == {stage.workflow.open_windows[0].id: 0}
