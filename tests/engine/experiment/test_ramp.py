"""Laws of a nomination, its ramp, the promotion and the way back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import LedgerCorruptError
from engine.experiment.split import BUCKETS, epoch_of
from tests.engine.experiment.examples import (
    ANNE,
    BASE,
    BERT,
    BETTER,
    KEPT,
    NOON,
    RAMPED,
    STOPPED,
    TRIED,
    by_hand,
    closed,
    ended,
    holdback_closed,
    holdback_narrowed,
    met,
    nominated,
    opened,
    promoted,
    rolled_back,
    stepped,
    then,
    told,
)

calm = settings(deadline=None)


def split_after(*decisions):
    return told(*decisions).workflow("docs").split


def test_a_nomination_closes_the_other_windows_as_superseded():
    state = told(*TRIED, opened("w2", BERT), nominated())

    workflow = state.workflow("docs")

    assert [one.id for one in workflow.open_windows] == ["r1"]
    assert state.window("w1").verdict == BETTER
    assert state.window("w2").verdict.cause == "superseded"
    assert workflow.ramp.continues == ("w1",)


def test_a_nomination_draws_one_lane_of_a_new_layout():
    state = told(*TRIED, nominated())

    split = state.workflow("docs").split

    assert [(lane.start, lane.width, lane.share) for lane in split.lanes] == [(0, 900_000, 250_000)]
    assert split.layout == split.version == 4
    assert met(split).count(ANNE.hash) > 0


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(250_001, 900_000), min_size=1, max_size=4, unique=True))
def test_a_step_only_moves_units_from_the_baseline_to_the_candidate(shares):
    state = told(*TRIED, nominated())
    for share in sorted(shares):
        before = met(state.workflow("docs").split, 200)
        state = then(state, stepped(share))
        after = met(state.workflow("docs").split, 200)

        moves = {(a, b) for a, b in zip(before, after, strict=True) if a != b}

        assert moves <= {(BASE.hash, ANNE.hash)}


def test_a_step_keeps_the_layout_and_is_stamped_on_its_window():
    state = told(*TRIED, nominated(), stepped(500_000))

    window, split = state.window("r1"), state.workflow("docs").split

    assert (split.layout, split.version) == (4, 5)
    assert (window.share, window.opened_seq, window.stepped_seq) == (500_000, 4, 5)


def test_at_promotion_after_a_ramp_no_unit_moves():
    last_step, kept = split_after(*RAMPED), split_after(*KEPT)

    assert epoch_of(last_step, NOON) == epoch_of(kept, NOON)
    assert met(kept, 20_000) == met(last_step, 20_000)
    assert set(met(kept)) == {ANNE.hash, BASE.hash}


@calm
@given(st.integers(1, BUCKETS - 1), st.data())
def test_a_promotion_takes_no_unit_back_whatever_the_shares(lane, data):
    share = data.draw(st.integers(1, lane))
    holdback = data.draw(st.integers(0, BUCKETS - share))
    ramped = (*TRIED, nominated(lane=lane, share=share))

    before = met(split_after(*ramped), 100)
    after = met(split_after(*ramped, promoted(holdback=holdback)), 100)

    moves = {(a, b) for a, b in zip(before, after, strict=True) if a != b}
    assert moves <= {(BASE.hash, ANNE.hash)}


def test_a_promotion_turns_the_roles_and_keeps_the_former_baseline_at_the_end():
    state = told(*KEPT)

    workflow = state.workflow("docs")
    lane = workflow.split.lanes[0]

    assert (workflow.baseline, workflow.previous) == (ANNE.hash, BASE.hash)
    assert (lane.start, lane.width, lane.share) == (900_000, 100_000, 100_000)
    assert (workflow.holdback.candidate, workflow.holdback.baseline) == (BASE.hash, ANNE.hash)
    assert state.window("r1").verdict == BETTER
    assert workflow.ramp is None


def test_a_promotion_ends_the_span_that_the_alpha_budget_covers():
    before = told(*RAMPED).experiments["exp"]
    after = told(*KEPT).experiments["exp"]

    assert (before.windows, before.promoted) == (("w1",), ())
    assert (after.windows, after.promoted) == ((), (ANNE.hash,))


def test_a_ramp_outlives_its_experiment():
    state = told(*RAMPED, ended(), promoted())

    assert state.workflow("docs").baseline == ANNE.hash
    assert state.experiments["exp"].ended == "all trials are done"
    assert state.experiments["exp"].promoted == (ANNE.hash,)


def test_trials_may_go_on_beside_a_holdback():
    again = opened("w2", BERT, baseline=ANNE.hash)

    split = split_after(*KEPT, again)

    assert [(lane.window, lane.start) for lane in split.lanes] == [
        ("holdback-6", 900_000),
        ("w2", 0),
    ]
    assert split.layout == 7


def test_a_promotion_by_hand_draws_anew_and_closes_what_is_open():
    state = told(*TRIED, by_hand())

    workflow = state.workflow("docs")

    assert workflow.open_windows == ()
    assert state.window("w1").verdict.cause == "operator"
    assert workflow.split.layout == workflow.split.version == 4
    assert set(met(workflow.split)) == {ANNE.hash}
    assert state.experiments["exp"].windows == ("w1",)


def test_a_rollback_returns_all_traffic_to_the_former_baseline():
    state = told(*KEPT, rolled_back())

    workflow = state.workflow("docs")

    assert (workflow.baseline, workflow.previous) == (BASE.hash, ANNE.hash)
    assert workflow.open_windows == ()
    assert set(met(workflow.split)) == {BASE.hash}
    assert state.window("holdback-6").verdict.reason == "worse"


def test_a_rollback_on_evidence_keeps_its_verdict():
    state = told(*KEPT, rolled_back(verdict=STOPPED))

    assert state.window("holdback-6").verdict == STOPPED


def test_a_ramp_that_is_closed_leaves_the_baseline_everything():
    state = told(*RAMPED, closed("r1"))

    assert set(met(state.workflow("docs").split)) == {BASE.hash}
    assert state.workflow("docs").baseline == BASE.hash
    assert state.experiments["exp"].windows == ("w1",)


def test_a_holdback_that_closes_leaves_the_promoted_variant_everything():
    by_person = told(*KEPT, holdback_closed())
    on_evidence = told(*KEPT, holdback_closed(verdict=STOPPED))

    assert set(met(by_person.workflow("docs").split)) == {ANNE.hash}
    assert by_person.window("holdback-6").verdict.cause == "operator"
    assert on_evidence.window("holdback-6").verdict == STOPPED


def test_a_promotion_without_a_holdback_leaves_no_window_open():
    workflow = told(*RAMPED, promoted(holdback=0)).workflow("docs")

    assert workflow.open_windows == ()
    assert set(met(workflow.split)) == {ANNE.hash}


def test_a_narrower_holdback_gives_units_back_and_takes_none():
    before = told(*KEPT)

    after = then(before, holdback_narrowed())

    wide, narrow = (state.workflow("docs").split for state in (before, after))
    pairs = set(zip(met(wide), met(narrow), strict=True))
    assert after.workflow("docs").holdback.share == 20_000
    assert narrow.layout == wide.layout
    assert (ANNE.hash, BASE.hash) not in pairs
    assert (BASE.hash, ANNE.hash) in pairs


@pytest.mark.parametrize(
    ("entries", "decision", "why"),
    [
        (TRIED, holdback_narrowed(window="w1"), "only a holdback is narrowed"),
        (KEPT, holdback_narrowed(100_000), "only gets narrower"),
        (KEPT, holdback_narrowed(0), "only gets narrower"),
        (KEPT, holdback_narrowed(window="w9"), "was never opened"),
    ],
)
def test_a_holdback_is_narrowed_lawfully_or_not_at_all(entries, decision, why):
    with pytest.raises(LedgerCorruptError, match=why):
        then(told(*entries), decision)
