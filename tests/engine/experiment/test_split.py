"""Laws of assignment: the same for ever, uniform, and one-way when a share grows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, chisquare

from engine.errors import ConfigError
from engine.experiment.split import (
    BUCKETS,
    HELD_OUT,
    ROTATION_S,
    Assignment,
    Holdout,
    Lane,
    Split,
    assign,
    bucket_of,
    epoch_of,
)
from tests.engine.experiment.examples import NOON, lane_shares

calm = settings(deadline=None)

units = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)


def split_of(*lanes: tuple[int, int], version=7, layout=7):
    drawn, start = [], 0
    for number, (share, width) in enumerate(lanes):
        lane = Lane(
            window=f"w{number}", variant=f"v{number}", start=start, width=width, share=share
        )
        drawn.append(lane)
        start += width
    return Split(
        workflow="docs", version=version, layout=layout, baseline="base", lanes=tuple(drawn)
    )


three_lanes = st.lists(lane_shares(), min_size=1, max_size=3)


@calm
@given(units, three_lanes, st.floats(0, 4e9))
def test_the_same_unit_meets_the_same_variant(unit, lanes, at):
    split = split_of(*lanes)
    copy = Split.model_validate_json(split.model_dump_json())

    first, again = (assign(unit, one, epoch_of(one, at)) for one in (split, copy))

    assert first == again


@calm
@given(units, three_lanes, st.data())
def test_widening_a_share_only_moves_units_from_the_baseline_to_the_candidate(unit, lanes, data):
    which = data.draw(st.integers(0, len(lanes) - 1))
    share, width = lanes[which]
    wider = [*lanes]
    wider[which] = (data.draw(st.integers(share, width)), width)
    epoch = epoch_of(split_of(*lanes), NOON)

    before = assign(unit, split_of(*lanes), epoch)
    after = assign(unit, split_of(*wider, version=8), epoch)

    moved_in = before.variant == "base" and after.variant == f"v{which}"
    assert before == after or moved_in


@calm
@given(three_lanes, st.data())
def test_a_changed_share_moves_nobody_between_candidates(lanes, data):
    which = data.draw(st.integers(0, len(lanes) - 1))
    width = lanes[which][1]
    changed = [*lanes]
    changed[which] = (data.draw(st.integers(0, width)), width)
    bucket = data.draw(st.integers(0, BUCKETS - 1))

    owners = [owners_of(split_of(*some), bucket) for some in (lanes, changed)]

    assert all(len(each) <= 1 for each in owners)
    assert owners[0] == owners[1] or not owners[0] or not owners[1]


def owners_of(split, bucket):
    return [lane.variant for lane in split.lanes if lane.holds(bucket)]


@calm
@given(units, three_lanes)
def test_a_lapsed_window_is_served_by_the_baseline_and_still_owns_its_bucket(unit, lanes):
    split = split_of(*lanes)
    epoch = epoch_of(split, NOON)
    live = assign(unit, split, epoch)

    lapsed = assign(unit, split, epoch, {lane.window for lane in split.lanes})

    assert lapsed == live.model_copy(update={"variant": "base"})


@calm
@given(three_lanes, st.data())
def test_one_lapsed_window_changes_nothing_for_the_others(lanes, data):
    split = split_of(*lanes)
    gone = data.draw(st.sampled_from(split.lanes)).window
    unit = data.draw(units)
    epoch = epoch_of(split, NOON)

    live = assign(unit, split, epoch)
    after = assign(unit, split, epoch, {gone})

    assert after == live or live.window == gone


def test_buckets_are_uniform():
    drawn = [bucket_of(f"conversation-{number}", "docs", "7.19675") for number in range(20_000)]

    counts = np.bincount([bucket * 100 // BUCKETS for bucket in drawn], minlength=100)

    assert min(drawn) >= 0
    assert max(drawn) < BUCKETS
    assert chisquare(counts).statistic < chi2.ppf(0.999, 99)


def test_a_new_layout_draws_every_bucket_anew():
    names = [f"u{number}" for number in range(20_000)]
    old, new = (
        np.array([bucket_of(name, "docs", epoch) * 10 // BUCKETS for name in names])
        for epoch in ("7.19675", "8.19675")
    )

    together = np.bincount(old * 10 + new, minlength=100)

    # Independent deciles fill all hundred cells alike.
    assert chisquare(together).statistic < chi2.ppf(0.999, 99)


@pytest.mark.parametrize(
    ("workflow", "epoch"), [("docs", "8.19675"), ("docs", "7.19676"), ("mail", "7.19675")]
)
def test_workflows_layouts_and_days_are_salted_apart(workflow, epoch):
    names = [f"u{number}" for number in range(1_000)]

    equal = [bucket_of(n, "docs", "7.19675") == bucket_of(n, workflow, epoch) for n in names]

    assert sum(equal) < 5


@pytest.mark.parametrize(("unit", "bucket"), [("u0", 880_387), ("conversation-1", 873_299)])
def test_buckets_never_change_between_releases(unit, bucket):
    assert bucket_of(unit, "docs", "7.19675") == bucket


def test_an_epoch_ends_at_midnight_and_with_its_layout():
    midnight = 19_675 * ROTATION_S
    split = split_of((1, 1))

    epochs = [epoch_of(split, at) for at in (midnight - 0.001, midnight, midnight + 86_399.9)]

    assert epochs == ["7.19674", "7.19675", "7.19675"]
    assert epoch_of(split_of((1, 1), layout=9), midnight) == "9.19675"
    assert epoch_of(split_of((1, 1), version=9), midnight) == "7.19675"


@calm
@given(three_lanes)
def test_shares_add_up_to_the_whole_traffic(lanes):
    split = split_of(*lanes)

    shares = [split.share_of(lane.window) for lane in split.lanes]

    assert shares == [share for share, _ in lanes]
    assert split.baseline_share + sum(shares) == BUCKETS
    assert split.share_of("never opened") == 0


def test_a_lane_begins_with_its_candidate_and_ends_with_the_baseline():
    lane = Lane(window="w", variant="v", start=10, width=5, share=3)

    held = [bucket for bucket in range(20) if lane.holds(bucket)]

    assert held == [10, 11, 12]


def test_a_unit_without_an_id_is_refused():
    with pytest.raises(ConfigError, match="needs a unit id"):
        assign("", split_of(), "7.1")


def test_a_unit_id_that_could_not_be_recorded_is_refused():
    with pytest.raises(ConfigError, match="surrogate"):
        assign("half \ud800", split_of(), "7.1")


def test_an_assignment_says_which_window_owns_the_bucket():
    everything = split_of((BUCKETS, BUCKETS))

    met = assign("u0", everything, "7.19675")

    assert met == Assignment(variant="v0", window="w0", bucket=880_387)


HELD = Holdout(variant="first", share=100_000)


@calm
@given(units, three_lanes, st.floats(0, 4e9), st.integers(1, 9))
def test_a_unit_that_is_held_out_keeps_its_variant_for_ever(unit, lanes, at, layout):
    early = split_of(*lanes).model_copy(update={"holdout": HELD})
    late = split_of(version=9, layout=layout).model_copy(update={"holdout": HELD})

    first = assign(unit, early, epoch_of(early, NOON))
    later = assign(unit, late, epoch_of(late, at))

    assert (first.window == HELD_OUT) == (later.window == HELD_OUT)
    assert first.window != HELD_OUT or first == later


@calm
@given(units, three_lanes)
def test_whoever_is_not_held_out_is_assigned_as_without_a_holdout(unit, lanes):
    plain = split_of(*lanes)
    held = plain.model_copy(update={"holdout": HELD})
    epoch = epoch_of(plain, NOON)

    found = assign(unit, held, epoch)

    assert found.variant == "first" or found == assign(unit, plain, epoch)


def test_as_many_units_are_held_out_as_the_holdout_says():
    split = split_of((300_000, 300_000)).model_copy(update={"holdout": HELD})
    epoch = epoch_of(split, NOON)

    met = [assign(f"u{number}", split, epoch).variant for number in range(5_000)]

    assert met.count("first") / 5_000 == pytest.approx(0.1, abs=0.015)
    assert met.count("v0") / 5_000 == pytest.approx(0.27, abs=0.025)
    assert split.variants == {"base", "v0", "first"}
