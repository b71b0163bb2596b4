"""Whose units a window compares: told by decisions, served by the split, measured, compared."""

import pytest
from hypothesis import given, settings

from engine.evidence.measure import Pair, Shares
from engine.experiment.split import BUCKETS, assign, epoch_of
from search.assess import pair_of
from tests.engine.evidence.books import NOW, exposure, measured, trace
from tests.engine.experiment.examples import (
    ANNE,
    BASE,
    BERT,
    KEPT,
    NOON,
    RAMPED,
    TRIED,
    closed,
    ledgers,
    opened,
    told,
)


def pair_after(window, *decisions, **since):
    workflow = told(*decisions).workflow("docs")
    return pair_of(workflow, workflow.windows[window], **since)


def test_a_trial_is_compared_with_the_units_that_no_window_owns():
    pair = pair_after("w1", *TRIED, opened("w2", BERT, share=200_000))

    assert pair == Pair(
        candidate=ANNE.hash,
        baseline=BASE.hash,
        candidate_windows=("w1",),
        baseline_windows=("",),
        shares={3: Shares(100_000, 900_000), 4: Shares(100_000, 700_000)},
        opened_at=NOON,
        history=frozenset({1, 3, 4}),
    )


def test_a_closed_window_keeps_its_pair():
    open_, shut = pair_after("w1", *TRIED), pair_after("w1", *TRIED, closed())

    assert open_ == shut


def test_a_ramp_goes_on_with_the_units_of_its_trial():
    pair = pair_after("r1", *RAMPED)

    assert pair.candidate_windows == ("w1", "r1")
    assert pair.shares == {
        3: Shares(100_000, 900_000),
        4: Shares(250_000, 750_000),
        5: Shares(900_000, 100_000),
    }


def test_a_step_of_a_ramp_is_weighed_on_its_own_traffic():
    pair = pair_after("r1", *RAMPED, since=5)

    assert pair.shares == {5: Shares(900_000, 100_000)}


def test_in_a_holdback_the_promoted_variant_is_the_candidate():
    pair = pair_after("holdback-6", *KEPT)

    assert (pair.candidate, pair.candidate_windows) == (ANNE.hash, ("",))
    assert (pair.baseline, pair.baseline_windows) == (BASE.hash, ("holdback-6",))
    assert pair.shares == {6: Shares(900_000, 100_000)}


def test_a_trial_beside_a_holdback_leaves_both_pairs_apart():
    decisions = (*KEPT, opened("w2", BERT, baseline=ANNE.hash))

    holdback, trial = pair_after("holdback-6", *decisions), pair_after("w2", *decisions)

    assert holdback.shares == {6: Shares(900_000, 100_000), 7: Shares(800_000, 100_000)}
    assert trial.shares == {7: Shares(100_000, 800_000)}


@settings(max_examples=40, deadline=None)
@given(ledgers())
def test_every_pair_has_both_sides_at_every_version(decisions):
    workflow = told(*decisions).workflow("docs")

    for window in workflow.windows.values():
        for shares in pair_of(workflow, window).shares.values():
            assert shares.candidate > 0
            assert shares.baseline > 0
            assert shares.candidate + shares.baseline <= BUCKETS
            assert 0.0 < shares.propensity < 1.0


@pytest.mark.parametrize("window", ["w1", "r1", "holdback-6"])
def test_units_come_in_the_shares_that_their_pair_expects(window):
    decisions = {"w1": TRIED, "r1": RAMPED, "holdback-6": KEPT}[window]
    workflow = told(*decisions).workflow("docs")
    split, epoch = workflow.split, epoch_of(workflow.split, 50.0)
    rows = []
    for number in range(3_000):
        met = assign(f"u{number}", split, epoch)
        stamped = {"version": split.version, "window": met.window, "epoch": epoch}
        rows.append(exposure(number, met.variant, **stamped))

    pair = pair_of(workflow, workflow.windows[window])
    sample = measured(rows, [trace(n) for n in range(3_000)], pair=pair, now=NOW)

    ((counts, shares),) = sample.exposed
    assert sum(counts) == 3_000
    assert counts[0] / 3_000 == pytest.approx(shares[0], abs=0.02)
