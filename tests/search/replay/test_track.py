"""The account of a replay: what users really got, whatever the evidence said."""

import pytest

from search.replay.outcomes import Truth
from search.replay.track import Track, best_feasible

TRUTHS = {
    "base": Truth(quality=0.6, latency_s=1.0, cost=1.0, segments={"x": 0.6, "y": 0.6}),
    "good": Truth(quality=0.7, latency_s=1.1, cost=2.0, segments={"x": 0.9, "y": 0.5}),
    "near": Truth(quality=0.695, latency_s=1.0, cost=1.0),
    "slow": Truth(quality=0.9, latency_s=2.0, cost=1.0),
    "bad": Truth(quality=0.5, latency_s=1.0, cost=1.0),
}


class Known:
    variants = tuple(TRUTHS)

    def settings(self, variant):
        return {}

    def truth(self, variant):
        return TRUTHS[variant]

    def receive(self, shares, count, rng):
        return []


@pytest.fixture
def track():
    return Track(Known(), "base", best=0.7, latency_ratio=1.2)


def test_regret_and_cost_follow_the_shares(track):
    track.serve([("good", 0.25), ("base", 0.75)], 100)

    result = track.result("any", 0)

    assert result.mean_quality == pytest.approx(0.625)
    assert result.regret_per_request == pytest.approx(0.075)
    assert result.cost == pytest.approx(125.0)


def test_cost_is_unmeasured_once_a_variant_without_one_serves(track):
    TRUTHS["free"] = Truth(quality=0.6)

    track.serve([("free", 1.0)], 10)
    track.serve([("base", 1.0)], 10)

    assert track.result("any", 0).cost is None


def test_the_best_is_reached_when_the_baseline_stays_within_a_point_of_it(track):
    for variant in ("good", "bad", "near"):
        track.serve([("base", 1.0)], 100)
        track.promote(variant, 3.0)

    result = track.result("any", 0)

    assert result.reached_at == 300
    assert result.holds_best


def test_what_is_lost_again_was_not_held(track):
    track.promote("good", None)
    track.promote("bad", None)

    result = track.result("any", 0)

    assert result.reached_at is None
    assert not result.holds_best


def test_a_promotion_is_told_with_its_truth(track):
    track.serve([("base", 1.0)], 50)
    track.promote("good", 4.5)
    track.promote("bad", 1.0)
    track.promote("good", None, rollback=True)

    first, second, back = track.result("any", 0).promotions

    assert (first.at_request, first.true_rank, first.is_worse) == (50, 2, False)
    assert first.true_lift == pytest.approx(0.1)
    assert second.is_worse
    assert back.is_rollback
    assert track.result("any", 0).first_true_promotion == 50


def test_the_worst_segment_harm_is_the_largest_loss_of_any_promotion(track):
    track.promote("good", None)

    assert track.result("any", 0).worst_segment_harm == pytest.approx(-0.1)


def test_a_baseline_beyond_the_latency_margin_breaches_the_anchor(track):
    track.promote("slow", None)

    result = track.result("any", 0)

    assert result.breached_anchor
    assert not result.holds_best


def test_the_best_feasible_variant_is_quick_enough():
    assert best_feasible(Known(), "base", 1.2) == 0.7
    assert best_feasible(Known(), "base", 3.0) == 0.9
