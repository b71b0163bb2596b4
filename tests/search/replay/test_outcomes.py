"""Recorded outcomes: each unit once, then again; nobody's outcome is another's."""

import numpy as np
import pytest

from engine.errors import ConfigError, UnmeasuredError
from search.replay.outcomes import UNRATED, Outcomes, Recorded
from tests.search.replay.tables import table

SHARES = [("v1", 0.25), ("v0", 0.75)]


def small(**changes):
    content = {
        "variants": ("a", "b"),
        "variant": np.array([0, 0, 1, 1]),
        "unit": np.array([0, 1, 0, 1]),
        "score": np.array([1.0, 0.0, 0.5, np.nan]),
    }
    return Outcomes(**content | changes)


def test_a_truth_is_the_mean_of_the_rated_units():
    source = Recorded(small(), baseline="a", seed=0)

    assert source.truth("a").quality == 0.5
    assert source.truth("b").quality == 0.5


def test_a_failed_unit_scores_zero_whatever_its_rating():
    failed = np.array([True, False, False, True])

    source = Recorded(small(failed=failed), baseline="a", seed=0)

    assert source.truth("a").quality == 0.0
    assert source.truth("b").quality == 0.25


def test_every_unit_comes_once_before_any_comes_again():
    source = Recorded(small(), baseline="a", seed=3)
    rng = np.random.default_rng(0)

    (first,) = source.receive([("a", 1.0)], 2, rng)

    assert first.levels[0] == first.levels[100] == 1


def test_past_the_tables_end_units_are_drawn_again():
    source = Recorded(small(), baseline="a", seed=3)
    rng = np.random.default_rng(0)

    (all_,) = source.receive([("a", 1.0)], 1_000, rng)

    assert all_.units == 1_000
    assert 400 < all_.levels[100] < 600


def test_units_follow_the_shares():
    source = Recorded(table(0.5, 0.5), baseline="v0", seed=1)

    candidate, baseline = source.receive(SHARES, 4_000, np.random.default_rng(0))

    assert candidate.units + baseline.units == 4_000
    assert 900 < candidate.units < 1_100


def test_an_unrated_unit_is_counted_as_unrated():
    source = Recorded(small(), baseline="a", seed=3)

    (met,) = source.receive([("b", 1.0)], 2, np.random.default_rng(0))

    assert met.levels[UNRATED] == 1


def test_among_equals_every_variant_draws_from_the_baseline():
    source = Recorded(table(0.2, 0.9), baseline="v0", seed=1, aa=True)

    candidate, _ = source.receive(SHARES, 4_000, np.random.default_rng(0))

    assert source.truth("v1") == source.truth("v0")
    assert candidate.levels[100] / candidate.units < 0.3


def test_a_unit_that_never_met_the_variant_gets_one_of_its_outcomes():
    apart = small(unit=np.array([0, 1, 2, 3]))
    source = Recorded(apart, baseline="a", seed=0)

    (met,) = source.receive([("b", 1.0)], 50, np.random.default_rng(0))

    assert met.levels[50] + met.levels[UNRATED] == 50
    assert met.levels[50] > 0


def test_latencies_of_failed_units_are_left_out():
    latency_s = np.array([1.0, np.e, 1.0, 1.0])
    failed = np.array([True, False, False, False])
    source = Recorded(small(latency_s=latency_s, failed=failed), baseline="a", seed=0)

    (met,) = source.receive([("a", 1.0)], 2, np.random.default_rng(0))

    assert (met.latency.n, met.latency.mean) == (1, 1.0)


def test_segments_are_counted_apart():
    segment = np.array([0, 1, 0, 1])
    source = Recorded(small(segment=segment, segments=("x", "y")), baseline="a", seed=0)

    (met,) = source.receive([("a", 1.0)], 2, np.random.default_rng(0))

    assert source.truth("a").segments == {"x": 1.0, "y": 0.0}
    assert source.truth("b").segments == {"x": 0.5}
    assert met.segments["x"][100] == met.segments["y"][0] == 1


def test_an_unknown_baseline_is_refused_with_the_variants():
    with pytest.raises(ConfigError, match="'c' is no variant of the table: a, b"):
        Recorded(small(), baseline="c", seed=0)


def test_a_variant_that_nobody_rated_is_unmeasured():
    score = np.array([1.0, 0.0, np.nan, np.nan])

    with pytest.raises(UnmeasuredError, match="'b' has no rated unit"):
        Recorded(small(score=score), baseline="a", seed=0)
