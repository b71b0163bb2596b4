"""Laws of a summary: mistakes keep their interval, and what never came is no number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import UnmeasuredError
from engine.stats.proportion import paired_interval, wilson
from search.replay.summary import POINTS, Reached, curves_of, summarised
from tests.search.replay.results import promotion, result


def test_truly_worse_promotions_have_the_score_interval():
    (found,) = summarised([result(promotion(0.02), promotion(-0.01)), result(promotion(0.03))])

    assert (found.promotions, found.worse) == (3, 1)
    assert found.worse_share == wilson(1, 3)
    assert found.mistaken == wilson(1, 2)
    assert found.true_lift == pytest.approx(0.04 / 3)


def test_going_back_is_no_promotion():
    (found,) = summarised([result(promotion(0.02), promotion(-0.02, rollback=True)), result()])

    assert (found.promotions, found.worse, found.rollbacks) == (1, 0, 1)
    assert found.mistaken == wilson(0, 2)


def test_without_a_promotion_its_figures_are_unmeasured():
    (found,) = summarised([result(), result()])

    assert (found.worse_share, found.true_lift, found.true_rank) == (None, None, None)
    assert (found.worst_segment_harm, found.cost_per_request) == (None, None)


def test_regret_has_the_interval_of_its_mean_over_replays():
    (found,) = summarised([result(regret=regret) for regret in (0.01, 0.02, 0.06)])

    assert found.regret_per_request == paired_interval([0.01, 0.02, 0.06])


def test_a_single_replay_shows_no_spread_and_is_refused():
    with pytest.raises(UnmeasuredError, match="two values"):
        summarised([result()])


def test_a_replay_in_which_it_never_came_counts_among_the_latest():
    never = [result() for _ in range(6)]
    came = [result(promotion(0.02, at=at)) for at in (100, 200, 300, 400)]

    (found,) = summarised([*never, *came])
    (sooner,) = summarised([*never[:1], *came])

    assert found.first_true_promotion == Reached(median=None, p90=None)
    assert sooner.first_true_promotion == Reached(median=300, p90=None)


@given(st.lists(st.integers(1, 1_000), min_size=2, max_size=40))
def test_half_and_nine_tenths_of_the_replays_keep_to_what_is_told(requests):
    (found,) = summarised([result(promotion(0.01, at=at)) for at in requests])

    first = found.first_true_promotion
    assert sum(at <= first.median for at in requests) >= 0.5 * len(requests)
    assert sum(at <= first.p90 for at in requests) >= 0.9 * len(requests)
    assert {first.median, first.p90} <= set(requests)


def test_the_worst_segment_and_the_cost_of_one_request_are_over_all_replays():
    harmed = [
        result(worst_segment_harm=harm, cost=cost) for harm, cost in ((-0.04, 10.0), (0.01, 30.0))
    ]

    (found,) = summarised(harmed)

    assert found.worst_segment_harm == -0.04
    assert found.cost_per_request == pytest.approx(0.02)


def test_policies_are_told_apart_in_their_order():
    results = [result(policy=name) for name in ("trimtab", "article", "trimtab", "article")]

    assert [one.policy for one in summarised(results)] == ["trimtab", "article"]
    assert all(one.replicates == 2 for one in summarised(results))


def test_a_curve_is_the_mean_quality_of_what_is_deployed():
    results = [result(promotion(0.2, at=500)), result()]

    (curve,) = curves_of(results, {"v0": 0.5, "v1": 0.7})

    assert len(curve.requests) == len(curve.quality) == POINTS + 1
    at = dict(zip(curve.requests, curve.quality, strict=True))
    assert (at[0], at[490]) == (0.5, 0.5)
    assert (at[500], at[1_000]) == (pytest.approx(0.6), pytest.approx(0.6))
