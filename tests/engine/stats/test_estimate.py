import numpy as np
import pytest

from engine.errors import UnmeasuredError
from engine.stats.betting import estimate, tally_of
from tests.engine.stats.examples import binary, thumbs


def test_one_version_in_proportion_gives_the_plain_difference_of_means():
    found = estimate([binary(0.5, 620, 380, 600, 400)], f=0.6)

    assert found.lift == pytest.approx(0.02)
    assert found.se == pytest.approx((0.62 * 0.38 / 1000 + 0.6 * 0.4 / 1000) ** 0.5, rel=1e-3)
    assert (found.candidate_mean, found.baseline_mean) == (0.62, 0.6)
    assert (found.candidate_units, found.baseline_units) == (1000, 1000)


def test_a_change_of_the_share_with_the_season_is_no_lift():
    calm, rush = binary(0.1, 80, 20, 720, 180), binary(0.5, 200, 300, 200, 300)

    found = estimate([calm, rush], f=0.6)

    assert found.lift == pytest.approx(0.0, abs=1e-12)
    assert found.candidate_mean == pytest.approx(found.baseline_mean)


def test_the_standard_error_is_the_spread_of_the_estimate():
    rng = np.random.default_rng(1)
    found = [
        estimate([thumbs(rng, pi, 400, 0.66, 0.6) for pi in (0.1, 0.4)], f=0.6) for _ in range(400)
    ]

    lifts = np.array([one.lift for one in found])

    assert lifts.mean() == pytest.approx(0.06, abs=3 * lifts.std() / 20)
    assert np.mean([one.se for one in found]) == pytest.approx(lifts.std(), rel=0.12)


def test_unrated_units_stand_at_the_frozen_mean():
    found = estimate(
        [binary(0.5, 80, 20, 60, 40, candidate_unrated=100, baseline_unrated=100)], f=0.6
    )

    assert found.candidate_mean == pytest.approx(0.7)
    assert found.baseline_mean == pytest.approx(0.6)
    assert found.lift == pytest.approx(0.1)
    assert found.candidate_units == 200


@pytest.mark.parametrize(
    ("tally", "side"),
    [
        (tally_of(0.5, [], [0.5, 1.0]), "candidate"),
        (tally_of(0.5, [0.5, 1.0], [], baseline_unrated=9), "baseline"),
    ],
)
def test_a_side_that_nobody_rated_leaves_the_lift_unmeasured(tally, side):
    with pytest.raises(UnmeasuredError, match=f"the {side} has no rated unit"):
        estimate([tally], f=0.6)


def test_scores_without_spread_leave_the_error_unmeasured():
    with pytest.raises(UnmeasuredError, match="error of the lift"):
        estimate([tally_of(0.5, [1.0] * 5, [1.0] * 5)], f=1.0)
