import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError, UnmeasuredError
from engine.stats.betting import LEVELS, Tally, merged, tally_of

NONE = np.zeros(LEVELS, dtype=np.int64)
scores = st.lists(st.integers(0, 100).map(lambda k: k / 100), max_size=20)


@given(scores, scores, scores, scores, st.integers(0, 9), st.integers(0, 9))
def test_merging_two_batches_equals_counting_them_together(a, b, c, d, first, second):
    parts = tally_of(0.2, a, b, first, second) + tally_of(0.2, c, d, second, first)

    whole = tally_of(0.2, a + c, b + d, first + second, first + second)

    assert np.array_equal(parts.candidate, whole.candidate)
    assert np.array_equal(parts.baseline, whole.baseline)
    assert parts.candidate_units == whole.candidate_units == len(a + c) + first + second
    assert parts.baseline_units == whole.baseline_units == len(b + d) + first + second


def test_scores_are_rounded_to_hundredths():
    tally = tally_of(0.5, [0.0, 0.004, 0.006, 1.0], [0.333])

    assert tally.candidate[[0, 1, 100]].tolist() == [2, 1, 1]
    assert tally.baseline[33] == 1


def test_a_tally_never_changes():
    mine = NONE.copy()
    tally = Tally(0.5, mine, NONE)

    mine[3] = 7

    assert tally.candidate[3] == 0
    with pytest.raises(ValueError, match="read-only"):
        tally.candidate[3] = 1


def test_tallies_of_different_shares_are_never_pooled():
    with pytest.raises(ConfigError, match=r"0\.2 and 0\.3"):
        merged(Tally(0.2, NONE, NONE), Tally(0.3, NONE, NONE))


@pytest.mark.parametrize("pi", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_a_share_of_none_or_all_compares_nothing(pi):
    with pytest.raises(UnmeasuredError, match="propensity"):
        Tally(pi, NONE, NONE)


@pytest.mark.parametrize("score", [math.nan, -0.01, 1.01, math.inf])
@pytest.mark.parametrize("side", ["candidate", "baseline"])
def test_a_score_outside_its_range_is_no_measurement(score, side):
    good_and_bad = ([score], [0.5]) if side == "candidate" else ([0.5], [score])

    with pytest.raises(UnmeasuredError, match=side):
        tally_of(0.5, *good_and_bad)


@pytest.mark.parametrize(
    "counts", [np.zeros(100, dtype=np.int64), NONE - 1, NONE.astype(np.float64)]
)
def test_anything_but_counts_is_refused(counts):
    with pytest.raises(UnmeasuredError, match="candidate"):
        Tally(0.5, counts, NONE)


def test_a_negative_number_of_unrated_units_is_refused():
    with pytest.raises(UnmeasuredError, match="unrated"):
        Tally(0.5, NONE, NONE, baseline_unrated=-1)
