"""Laws of sharing traffic anew: within the cap, and no unit moves between two candidates."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import LedgerCorruptError
from engine.experiment.shares import LEAST
from engine.experiment.split import BUCKETS
from tests.engine.experiment.examples import (
    ANNE,
    BEGUN,
    BERT,
    KEPT,
    RAMPED,
    TRIED,
    closed,
    met,
    opened,
    reallocated,
    started,
    then,
    told,
)

TWO = (*BEGUN, opened(lane=200_000), opened("w2", BERT, lane=150_000))
calm = settings(max_examples=60, deadline=None)
within = st.integers(LEAST, 200_000)


def docs(state):
    return state.workflow("docs")


@calm
@given(within, st.integers(LEAST, 150_000))
def test_shares_that_fit_their_lanes_keep_the_layout(first, second):
    before = told(*TWO)
    wanted = {"w1": first, "w2": second}
    shares = {id_: share for id_, share in wanted.items() if share != 100_000}

    after = then(before, reallocated(shares)) if shares else before

    assert docs(after).split.layout == docs(before).split.layout
    assert [lane.share for lane in docs(after).split.lanes] == [first, second]
    moved = set(zip(met(docs(before).split), met(docs(after).split), strict=True))
    assert not {(ANNE.hash, BERT.hash), (BERT.hash, ANNE.hash)} & moved


@calm
@given(st.integers(200_001, 290_000))
def test_a_share_that_outgrows_its_lane_draws_new_lanes_with_headroom(share):
    before = told(*TWO)

    after = then(before, reallocated({"w1": share}))

    lanes = docs(after).split.lanes
    assert docs(after).split.layout == after.seq
    assert [lane.share for lane in lanes] == [share, 100_000]
    assert all(lane.share < lane.width for lane in lanes)
    assert sum(lane.width for lane in lanes) <= BUCKETS // 2


def test_headroom_ends_where_half_of_the_traffic_is_taken():
    crowded = then(told(*TWO), reallocated({"w1": 600_000}, cap=BUCKETS))

    lanes = docs(crowded).split.lanes

    assert [lane.width for lane in lanes] == [600_000, 100_000]


def test_a_newcomer_takes_headroom_but_never_a_share():
    wide = told(*BEGUN, opened(share=300_000, lane=900_000))

    both = then(wide, opened("w2", BERT, 200_000))

    assert [lane.share for lane in docs(both).split.lanes] == [300_000, 200_000]
    assert [lane.width for lane in docs(both).split.lanes] == [300_000, 200_000]


def test_evidence_goes_on_under_the_new_share():
    after = then(told(*TWO), reallocated({"w1": 50_000}))

    window = after.window("w1")

    assert window.is_open
    assert (window.share, window.stepped_seq, window.opened_seq) == (50_000, after.seq, 3)
    assert after.window("w2").stepped_seq == 4


@pytest.mark.parametrize(
    ("entries", "decision", "why"),
    [
        (TRIED, reallocated({"w9": 50_000}), "w9: no open trial of exp"),
        ((*TRIED, closed()), reallocated({"w1": 50_000}), "w1: no open trial of exp"),
        (RAMPED, reallocated({"r1": 50_000}), "r1: no open trial of exp"),
        (KEPT, reallocated({"holdback-6": 50_000}), "holdback-6: no open trial of exp"),
        (TRIED, reallocated({}), "no share changes"),
        (TRIED, reallocated({"w1": 100_000}), "no share changes"),
        (TWO, reallocated({"w1": 50_000, "w2": 100_000}), "not every one named"),
        (TRIED, reallocated({"w1": LEAST - 1}), "a share of 4999 is below the least, 5000"),
        (TWO, reallocated({"w1": 300_001}), "the shares take 400001; the cap is 400000"),
        (TRIED, reallocated({"w1": BUCKETS}, cap=BUCKETS), "leave the baseline nothing"),
        (TRIED, reallocated({"w1": 50_000}, workflow="mail"), "mail is not installed"),
        (TRIED, reallocated({"w1": 50_000}, experiment="other"), "no experiment other"),
        (
            (*TRIED, started("other")),
            reallocated({"w1": 50_000}, experiment="other"),
            "w1: no open trial of other",
        ),
    ],
)
def test_what_is_not_lawful_is_refused(entries, decision, why):
    with pytest.raises(LedgerCorruptError, match=why):
        then(told(*entries), decision)


def test_a_reallocation_needs_a_reason():
    with pytest.raises(ValueError, match="reason"):
        reallocated({"w1": 50_000}, reason="")
