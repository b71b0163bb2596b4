"""Laws of Lee's bounds: they hold the truth when the missing ratings are one-sided."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.errors import UnmeasuredError
from engine.stats.tally import tally_of
from engine.stats.trimming import lee_bounds
from tests.engine.stats.examples import binary

counts = st.integers(0, 40)


def test_equally_rated_variants_leave_nothing_open():
    found = lee_bounds([binary(0.5, 60, 40, 50, 50)])

    assert (found.low, found.high) == (pytest.approx(found.estimate), pytest.approx(0.1))


def test_the_surplus_of_the_better_rated_variant_is_trimmed_at_either_end():
    """Of 100 ratings 20 are surplus: 60 up and 40 down become 40:40 or 60:20."""
    found = lee_bounds([binary(0.5, 60, 40, 40, 40, baseline_unrated=20)])

    assert found.low == pytest.approx(0.0)
    assert found.high == pytest.approx(0.25)
    assert found.estimate == pytest.approx(0.1)


def test_a_better_rated_baseline_is_trimmed_instead():
    found = lee_bounds([binary(0.5, 40, 40, 60, 40, candidate_unrated=20)])

    assert (found.low, found.high) == (pytest.approx(-0.25), pytest.approx(0.0))


@given(st.tuples(*[counts] * 6), st.sampled_from([0.1, 0.5, 0.8]))
def test_the_estimate_lies_within_the_bounds_and_they_within_a_lifts_range(cells, pi):
    c1, c0, b1, b0, own, other = cells
    assume(c1 + c0 and b1 + b0)

    found = lee_bounds([binary(pi, c1, c0, b1, b0, candidate_unrated=own, baseline_unrated=other)])

    assert -1.0 - 1e-9 <= found.low <= found.estimate + 1e-9
    assert found.estimate - 1e-9 <= found.high <= 1.0 + 1e-9


def test_bad_answers_that_go_unrated_under_one_variant_are_bounded():
    rng = np.random.default_rng(2)
    scores = rng.random((2, 40_000)).round(2)
    told = scores[0][(scores[0] > 0.3) | (rng.random(40_000) < 0.5)]

    found = lee_bounds([tally_of(0.5, told, scores[1], candidate_unrated=40_000 - told.size)])

    assert found.estimate > 0.05
    assert found.low < 0.0 < found.high


def test_a_side_without_a_rating_is_unmeasured():
    with pytest.raises(UnmeasuredError, match="no rated unit"):
        lee_bounds([binary(0.5, 0, 0, 3, 3, candidate_unrated=4)])
