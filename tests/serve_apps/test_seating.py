"""Laws of seating: nobody who is wanted loses a slot, and no variant sits twice."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.experiment.split import BUCKETS
from engine.experiment.verdict import Verdict
from serve_apps.seating import UNFIT, Seat, Seating, draining, replicas_for, wanted
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
    opened,
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
    return {variant: Seat("docs", variant, count) for variant, count in replicas.items()}


@calm
@given(st.integers(1, 6), looks)
def test_a_slot_seats_one_variant_and_a_variant_takes_one_slot(slots, wishes):
    seating = Seating(tuple(f"slot-{number}" for number in range(slots)))

    for replicas, kept in wishes:
        seating.place(seats(replicas), kept)

        seated = [seat.variant for seat in seating.seats.values()]
        assert len(seated) == len(set(seated))
        assert seating.seats.keys() <= set(seating.slots)


@calm
@given(st.integers(1, 6), looks)
def test_as_many_as_there_are_slots_are_seated_as_they_want(slots, wishes):
    seating = Seating(tuple(f"slot-{number}" for number in range(slots)))

    for replicas, kept in wishes:
        seating.place(seats(replicas), kept)

        found = [variant for variant in replicas if seating.slot_of(variant)]
        assert len(found) == min(slots, len(replicas))
        assert all(
            seating.seats[seating.slot_of(variant)].replicas == replicas[variant]
            for variant in found
        )


@calm
@given(st.integers(1, 6), looks)
def test_a_wanted_variant_keeps_its_slot(slots, wishes):
    seating = Seating(tuple(f"slot-{number}" for number in range(slots)))

    for replicas, kept in wishes:
        before = {variant: seating.slot_of(variant) for variant in replicas}
        seating.place(seats(replicas), kept)

        assert all(seating.slot_of(variant) == slot for variant, slot in before.items() if slot)


@calm
@given(st.integers(1, 6), looks)
def test_what_changed_is_told_and_nothing_else(slots, wishes):
    seating = Seating(tuple(f"slot-{number}" for number in range(slots)))

    for replicas, kept in wishes:
        before = dict(seating.seats)
        changed = seating.place(seats(replicas), kept)

        assert changed == {
            slot: seat for slot, seat in seating.seats.items() if before.get(slot) != seat
        }
        assert seating.place(seats(replicas), kept) == {}


def test_a_newcomer_takes_an_empty_slot_before_anybodys():
    seating = Seating(("slot-0", "slot-1"), {"slot-0": Seat("docs", "old", 1)})

    seating.place(seats({"new": 1}), set())

    assert (seating.slot_of("old"), seating.slot_of("new")) == ("slot-0", "slot-1")


def test_a_variant_that_drains_keeps_its_slot_as_long_as_another_is_idle():
    full = {"slot-0": Seat("docs", "draining", 1), "slot-1": Seat("docs", "gone", 1)}
    seating = Seating(("slot-0", "slot-1"), full)

    seating.place(seats({"new": 1}), {"draining"})

    assert (seating.slot_of("draining"), seating.slot_of("new")) == ("slot-0", "slot-1")


def test_a_newcomer_takes_a_draining_slot_when_there_is_no_other():
    seating = Seating(("slot-0",), {"slot-0": Seat("docs", "draining", 1)})

    changed = seating.place(seats({"new": 1}), {"draining"})

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
        BASE.hash: Seat("docs", BASE.hash, 6),
        ANNE.hash: Seat("docs", ANNE.hash, 3),
        BERT.hash: Seat("docs", BERT.hash, 1),
    }


def test_a_variant_with_two_lanes_wants_one_seat_for_both():
    twice = told(*KEPT, opened("w2", BASE, baseline=ANNE.hash)).workflow("docs").split

    assert wanted("docs", twice, 10)[BASE.hash] == Seat("docs", BASE.hash, 2)


def drained(cause, after_s):
    verdict = Verdict(action="stop", cause=cause, reason="over")
    workflow = told(*TRIED, closed(verdict=verdict)).workflow("docs")
    lasting = workflow.model_copy(update={"config": {"conversation_ttl_s": 60.0}})
    return draining(lasting, NOON + after_s)


@pytest.mark.parametrize(("after_s", "is_kept"), [(0.0, True), (59.9, True), (60.0, False)])
def test_a_variant_drains_as_long_as_its_conversations_may_last(after_s, is_kept):
    assert drained("futility", after_s) == ({ANNE.hash} if is_kept else set())


@pytest.mark.parametrize("cause", sorted(UNFIT))
def test_a_variant_that_is_unfit_does_not_even_drain(cause):
    assert drained(cause, 0.0) == set()


def test_an_open_window_does_not_drain():
    assert draining(told(*TRIED).workflow("docs"), NOON) == set()


def test_without_lasting_conversations_nothing_drains():
    assert draining(told(*TRIED, by_hand()).workflow("docs"), NOON) == set()
