"""Laws of seating: nobody who is wanted loses a slot, and no variant sits twice."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.experiment.split import BUCKETS
from engine.experiment.verdict import Verdict
from serve_apps.seating import UNFIT, Seat, Seating, draining, replicas_for, unfit, wanted
from tests.engine.experiment.examples import (
    ANNE,
    BASE,
    BEGUN,
    BERT,
    KEPT,
    NOON,
    TRIED,
    by_hand,
    closed,
    holdback_closed,
    installed,
    opened,
    rolled_back,
    told,
)

calm = settings(deadline=None)

names = st.sampled_from("abcdefgh")
looks = st.lists(
    st.tuples(st.dictionaries(names, st.integers(1, 3), min_size=1), st.sets(names)),
    min_size=1,
    max_size=6,
)


def seats(replicas):
    return {("docs", variant): Seat("docs", variant, count) for variant, count in replicas.items()}


def keys(variants):
    return {("docs", variant) for variant in variants}


def slot_of(seating, variant):
    return seating.slot_of(("docs", variant))


@calm
@given(st.integers(1, 6), looks)
def test_a_slot_seats_one_variant_and_a_variant_takes_one_slot(slots, wishes):
    seating = Seating(tuple(f"slot-{number}" for number in range(slots)))

    for replicas, kept in wishes:
        seating.place(seats(replicas), keys(kept))

        seated = [seat.variant for seat in seating.seats.values()]
        assert len(seated) == len(set(seated))
        assert seating.seats.keys() <= set(seating.slots)


@calm
@given(st.integers(1, 6), looks)
def test_as_many_as_there_are_slots_are_seated_as_they_want(slots, wishes):
    seating = Seating(tuple(f"slot-{number}" for number in range(slots)))

    for replicas, kept in wishes:
        seating.place(seats(replicas), keys(kept))

        found = [variant for variant in replicas if slot_of(seating, variant)]
        assert len(found) == min(slots, len(replicas))
        assert all(
            seating.seats[slot_of(seating, variant)].replicas == replicas[variant]
            for variant in found
        )


@calm
@given(st.integers(1, 6), looks)
def test_a_wanted_variant_keeps_its_slot(slots, wishes):
    seating = Seating(tuple(f"slot-{number}" for number in range(slots)))

    for replicas, kept in wishes:
        before = {variant: slot_of(seating, variant) for variant in replicas}
        seating.place(seats(replicas), keys(kept))

        assert all(slot_of(seating, variant) == slot for variant, slot in before.items() if slot)


@calm
@given(st.integers(1, 6), looks)
def test_what_changed_is_told_and_nothing_else(slots, wishes):
    seating = Seating(tuple(f"slot-{number}" for number in range(slots)))

    for replicas, kept in wishes:
        before = dict(seating.seats)
        changed = seating.place(seats(replicas), keys(kept))

        assert changed == {
            slot: seat for slot, seat in seating.seats.items() if before.get(slot) != seat
        }
        assert seating.place(seats(replicas), keys(kept)) == {}


def test_two_workflows_with_equal_settings_share_no_seat():
    seating = Seating(("slot-0", "slot-1"))
    both = {(name, "same"): Seat(name, "same", 1) for name in ("docs", "mail")}

    seating.place(both, set())

    assert [seating.slot_of((name, "same")) for name in ("docs", "mail")] == ["slot-0", "slot-1"]


def test_a_newcomer_takes_an_empty_slot_before_anybodys():
    seating = Seating(("slot-0", "slot-1"), {"slot-0": Seat("docs", "old", 1)})

    seating.place(seats({"new": 1}), set())

    assert (slot_of(seating, "old"), slot_of(seating, "new")) == ("slot-0", "slot-1")


def test_a_variant_that_drains_keeps_its_slot_as_long_as_another_is_idle():
    full = {"slot-0": Seat("docs", "draining", 1), "slot-1": Seat("docs", "gone", 1)}
    seating = Seating(("slot-0", "slot-1"), full)

    seating.place(seats({"new": 1}), keys({"draining"}))

    assert (slot_of(seating, "draining"), slot_of(seating, "new")) == ("slot-0", "slot-1")


def test_a_newcomer_takes_a_draining_slot_when_there_is_no_other():
    seating = Seating(("slot-0",), {"slot-0": Seat("docs", "draining", 1)})

    changed = seating.place(seats({"new": 1}), keys({"draining"}))

    assert changed == {"slot-0": Seat("docs", "new", 1)}


@calm
@given(st.integers(0, BUCKETS), st.integers(1, 64))
def test_replicas_are_proportional_and_never_too_few(share, full):
    replicas = replicas_for(share, full)

    assert 1 <= replicas <= full
    assert replicas * BUCKETS >= full * share
    assert replicas == 1 or (replicas - 1) * BUCKETS < full * share


def test_the_split_says_who_wants_a_slot_and_how_many_replicas():
    split = told(*BEGUN, opened(share=300_000), opened("w2", BERT)).workflow("docs").split

    assert wanted("docs", split, 10) == {
        ("docs", BASE.hash): Seat("docs", BASE.hash, 6),
        ("docs", ANNE.hash): Seat("docs", ANNE.hash, 3),
        ("docs", BERT.hash): Seat("docs", BERT.hash, 1),
    }


def test_a_variant_with_two_lanes_wants_one_seat_for_both():
    twice = told(*KEPT, opened("w2", BASE, baseline=ANNE.hash)).workflow("docs").split

    assert wanted("docs", twice, 10)["docs", BASE.hash] == Seat("docs", BASE.hash, 2)


def held_out(*decisions):
    first = BEGUN[0].model_copy(update={"workflow_config": {"holdout": 0.1}})
    return told(first, *decisions[1:]).workflow("docs")


def test_a_variant_that_is_held_out_keeps_a_seat_of_its_own():
    split = held_out(*KEPT, holdback_closed()).split

    assert wanted("docs", split, 10) == {
        ("docs", ANNE.hash): Seat("docs", ANNE.hash, 10),
        ("docs", BASE.hash): Seat("docs", BASE.hash, 1),
    }


@pytest.mark.parametrize("cause", ["harm", "errors"])
def test_a_variant_that_did_harm_answers_nobody(cause):
    verdict = Verdict(action="stop", cause=cause, reason="over")

    assert unfit(told(*TRIED, closed(verdict=verdict)).workflow("docs")) == {ANNE.hash}


def test_the_baseline_and_what_is_held_out_answer_whatever_was_found():
    verdict = Verdict(action="rollback", cause="harm", reason="over")
    harmful = rolled_back(verdict=verdict)

    assert unfit(held_out(*KEPT, harmful)) == {ANNE.hash}
    assert unfit(held_out(*KEPT, harmful, by_hand())) == set()


def test_a_promotion_that_was_rolled_back_bans_the_promoted_one_and_not_the_former():
    verdict = Verdict(action="rollback", cause="regression", reason="over")
    back = told(*KEPT, rolled_back(verdict=verdict), installed(baseline=BERT))

    assert unfit(back.workflow("docs")) == {ANNE.hash}


def test_a_variant_that_is_tried_against_another_baseline_answers_again():
    verdict = Verdict(action="stop", cause="harm", reason="over")
    bert = installed(baseline=BERT)
    again = told(*TRIED, closed(verdict=verdict), bert, opened("w2", baseline=BERT.hash))

    assert unfit(again.workflow("docs")) == set()


def test_a_variant_that_was_only_useless_may_answer_still():
    assert unfit(told(*TRIED, closed()).workflow("docs")) == set()


def drained(cause, after_s):
    verdict = Verdict(action="stop", cause=cause, reason="over")
    workflow = told(*TRIED, closed(verdict=verdict)).workflow("docs")
    lasting = workflow.model_copy(
        update={"configs": {key: {"conversation_ttl_s": 60.0} for key in workflow.configs}}
    )
    return draining(lasting, NOON + after_s)


@pytest.mark.parametrize(("after_s", "is_kept"), [(0.0, True), (59.9, True), (60.0, False)])
def test_a_variant_drains_as_long_as_its_conversations_may_last(after_s, is_kept):
    assert drained("futility", after_s) == (keys({ANNE.hash}) if is_kept else set())


@pytest.mark.parametrize("cause", sorted(UNFIT))
def test_a_variant_that_is_unfit_does_not_even_drain(cause):
    assert drained(cause, 0.0) == set()


def test_an_open_window_does_not_drain():
    assert draining(told(*TRIED).workflow("docs"), NOON) == set()


def test_without_lasting_conversations_nothing_drains():
    assert draining(told(*TRIED, by_hand()).workflow("docs"), NOON) == set()
