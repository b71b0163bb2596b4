"""Laws of sharing traffic among trials: by what is known, within the caps, the same for ever."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.experiment.entries import Reallocated, WindowOpened
from engine.experiment.shares import LEAST
from engine.experiment.split import BUCKETS
from search.allocation import reallocation, shares_of
from search.assessed import assess_trial
from search.opening import Proposal, opening
from search.room import fitted, room_made
from search.selector import Selector
from search.verify import verify
from tests.search.played import PARAMS, hash_of
from tests.search.stage import Settled, Stage, experiment_of

NAME = "docs-qa"
calm = settings(deadline=None)


def windows(**changes):
    return {"windows": experiment_of().windows.model_dump() | changes}


def known(lift, se=0.02, units=300):
    return {"lift": lift, "se": se, "candidate_units": units}


def drawn(experiment, **figures):
    return shares_of(experiment, figures, np.random.default_rng(3))


@pytest.fixture
def tried(stage):
    """Two open trials, of which one is clearly better than the other."""
    stage.quality = {stage.baseline: 0.55, hash_of(stage, "good"): 0.62, hash_of(stage, "bad"): 0.5}
    stage.serve(5)
    for trial in ("good", "bad"):
        assert isinstance(stage.life(trial, **PARAMS[trial])._begin(), str)
    stage.serve(6)
    return stage


def reallocated(stage):
    facts = Settled(stage)
    frames = facts.follow()
    state = stage.decisions.state()
    return reallocation(state, NAME, frames, upto=facts.upto, now=facts.settled_at())


def open_shares(stage):
    return {one.trial: one.share for one in stage.workflow.open_windows}


def test_the_more_promising_candidate_gets_more(tried):
    decision = reallocated(tried)
    assert isinstance(decision, Reallocated)

    tried.append(decision)

    shares = open_shares(tried)
    assert shares["good"] > 200_000 > shares["bad"] >= LEAST
    assert sum(shares.values()) <= 400_000


def test_the_same_books_give_the_same_shares(tried):
    assert reallocated(tried) == reallocated(tried)


def test_what_was_known_of_each_window_is_on_record(tried):
    decision = reallocated(tried)

    assert decision.evidence is not None
    assert decision.figures.keys() == {one.id for one in tried.workflow.open_windows}
    assert all(one["candidate_units"] > 0 for one in decision.figures.values())


def test_a_change_that_is_not_worth_it_is_not_made(tried):
    tried.append(reallocated(tried))

    assert reallocated(tried) is None


def test_nothing_is_shared_anew_before_anything_is_known(stage):
    stage.life("good", **PARAMS["good"])._begin()

    assert reallocated(stage) is None


def test_without_a_trial_there_is_nothing_to_share(stage):
    assert reallocated(stage) is None


def test_even_shares_stay_even(tmp_path):
    stage = Stage(tmp_path, experiment_of(**windows(allocation="even")))
    stage.life("good", **PARAMS["good"])._begin()
    stage.serve(6)

    assert reallocated(stage) is None
    stage.close()


def test_candidates_have_their_usual_shares_together_until_one_looks_good():
    experiment = experiment_of(**windows(share=0.1, concurrent=4, boost_cap=0.8))

    doubtful = drawn(experiment, a=known(0.02), b=known(-0.01))
    leading = drawn(experiment, a=known(0.08, units=500), b=known(-0.01))

    assert sum(doubtful.values()) == pytest.approx(200_000, abs=2)
    assert sum(leading.values()) == pytest.approx(800_000, abs=2)
    assert max(leading, key=leading.get) == "a"


def test_without_a_boost_the_exploration_cap_stands():
    leading = drawn(experiment_of(), a=known(0.2, units=900))

    assert sum(leading.values()) == 400_000


def test_top_two_keeps_traffic_on_the_runner_up():
    plans = [experiment_of(**windows(allocation=name)) for name in ("thompson", "top-two")]

    thompson, top_two = (drawn(one, a=known(0.2, 0.01), b=known(0.1, 0.01)) for one in plans)

    assert thompson["b"] < top_two["b"] == pytest.approx(200_000, abs=4_000)


@calm
@given(st.dictionaries(st.integers(0, 9), st.floats(0, 9e5), min_size=1), st.integers(0, BUCKETS))
def test_fitted_shares_never_exceed_what_there_is(wanted, total):
    shares = fitted(wanted, total)

    assert shares.keys() == wanted.keys()
    assert sum(shares.values()) <= total
    assert total < LEAST * len(wanted) or min(shares.values()) >= LEAST


def test_a_leader_keeps_its_boost_beside_one_more(tmp_path):
    stage = Stage(tmp_path, experiment_of(**windows(boost_cap=0.8)))
    first = stage.life("good", **PARAMS["good"])._begin()
    boosted = Reallocated(
        experiment=NAME, workflow="docs", shares={first: 700_000}, cap=800_000, reason="it leads"
    )
    stage.append(boosted)

    stage.life("bad", **PARAMS["bad"])._begin()

    kinds = [entry.kind for entry in stage.decisions.ledger.read()][-2:]
    assert kinds == ["Reallocated", "WindowOpened"]
    assert open_shares(stage) == {"good": 600_000, "bad": 200_000}
    stage.close()


def test_open_trials_make_room_for_one_more(tmp_path):
    stage = Stage(tmp_path, experiment_of(**windows()))
    first = stage.life("good", **PARAMS["good"])._begin()
    wider = Reallocated(
        experiment=NAME, workflow="docs", shares={first: 350_000}, cap=400_000, reason="it leads"
    )
    stage.append(wider)

    stage.life("bad", **PARAMS["bad"])._begin()

    assert open_shares(stage) == {"good": 200_000, "bad": 200_000}
    stage.close()


def test_where_there_is_room_nobody_gives_anything_up(stage):
    stage.life("good", **PARAMS["good"])._begin()

    assert room_made(stage.workflow, stage.experiment) is None


def test_another_experiments_trials_take_none_of_this_ones_room(stage):
    stage.life("good", **PARAMS["good"])._begin()
    other = experiment_of(experiment="other", **windows(concurrent=1, exploration_cap=0.2))
    stage.experiment = other
    stage.start()
    candidate = stage.life("bad", **PARAMS["bad"])._proposal(stage.decisions.state()).candidate

    move = opening(stage.decisions.state(), Proposal("t", candidate, other))

    assert isinstance(move, WindowOpened)
    assert move.share == 200_000


def test_a_recorded_sharing_is_computed_again(tried):
    tried.append(reallocated(tried))

    assert verify(tried.root).mismatches == ()


@pytest.mark.parametrize(
    ("spoilt", "evidence", "why"),
    [
        ({"cap": 410_000}, {}, "the shares are recorded as"),
        ({}, {"digest": "x"}, "digest differs"),
        ({}, {"upto": 0}, "no reason to share"),
    ],
)
def test_shares_that_the_books_do_not_give_are_found(tried, spoilt, evidence, why):
    decision = reallocated(tried)
    said = decision.evidence.model_copy(update=evidence)
    tried.append(decision.model_copy(update=spoilt | {"evidence": said}))

    (mismatch,) = verify(tried.root).mismatches

    assert "Reallocated" in mismatch
    assert why in mismatch


@pytest.mark.parametrize(("after_s", "shared"), [(29.0, 0), (31.0, 1)])
def test_the_selector_shares_as_often_as_the_experiment_says(tried, after_s, shared):
    selector = Selector(str(tried.root), clock=lambda: tried.now)
    selector._facts = Settled(tried)
    selector.look()
    tried.wait(after_s)

    selector.look()

    kinds = [entry.kind for entry in tried.decisions.ledger.read()]
    assert kinds.count("Reallocated") == shared


def test_a_bandit_gives_the_best_candidate_up_to_the_cap_and_the_baseline_the_rest(tmp_path):
    bandit = experiment_of(policy="bandit", **windows(exploration_cap=0.4, boost_cap=0.8))

    shares = drawn(bandit, good=known(0.2, 0.01), bad=known(-0.2, 0.01))
    none = drawn(bandit, bad=known(-0.2, 0.01), worse=known(-0.3, 0.01))

    assert shares["good"] == pytest.approx(0.784 * BUCKETS, rel=0.01)
    assert shares["bad"] == pytest.approx(0.016 * BUCKETS, rel=0.01)
    assert sum(none.values()) < 0.04 * BUCKETS


def test_what_a_bandit_gathers_stays_evidence_that_can_be_computed_again(tmp_path):
    usual = windows(exploration_cap=0.4, boost_cap=0.8)
    stage = Stage(tmp_path, experiment_of(policy="bandit", **usual))
    good, bad = (hash_of(stage, name) for name in ("good", "bad"))
    stage.quality = {stage.baseline: 0.5, good: 0.9, bad: 0.45}
    stage.serve(5)
    for trial in ("good", "bad"):
        stage.life(trial, **PARAMS[trial])._begin()
    stage.serve(6)
    stage.append(reallocated(stage))
    stage.serve(8)

    best, _ = stage.workflow.open_windows
    facts = Settled(stage)
    found = assess_trial(
        stage.workflow, stage.experiment, best, facts.follow(), upto=facts.upto, now=stage.now
    )

    assert best.share > 0.5 * BUCKETS
    assert found.action == "continue"
    assert found.figures["log_e"] > 9.0
    assert verify(stage.root).holds
    stage.close()
