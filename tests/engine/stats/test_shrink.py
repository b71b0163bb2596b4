import numpy as np
import pytest

from engine.stats.betting import Estimate
from engine.stats.shrink import shrunk_lift


def lift(value, se=0.02):
    return Estimate(value, se, 0.6 + value, 0.6, 500, 5000)


def test_the_pull_is_the_part_of_the_spread_that_is_noise():
    among = [lift(0.06), lift(0.0), lift(-0.03)]
    between = np.var([0.06, 0.0, -0.03], ddof=1) - 0.02**2

    expected = 0.01 + between / (between + 0.02**2) * 0.05

    assert shrunk_lift(among[0], among) == pytest.approx(expected)


def test_lifts_no_further_apart_than_noise_are_all_the_same():
    among = [lift(0.011, 0.05), lift(0.01, 0.05), lift(0.009, 0.05)]

    assert shrunk_lift(among[0], among) == pytest.approx(0.01)


def test_a_lone_winner_is_pulled_towards_the_usual_trial():
    assert shrunk_lift(lift(0.05, 0.03), [lift(0.05, 0.03)]) == pytest.approx(0.02)


def test_the_shrunk_lift_of_winners_is_nearer_the_truth_than_the_raw_one():
    rng = np.random.default_rng(11)
    raw, shrunk = [], []
    for _ in range(200):
        truth = rng.normal(-0.01, 0.02, 20)
        seen = truth + rng.normal(0.0, 0.022, 20)
        among = [lift(value, 0.022) for value in seen]
        best = int(seen.argmax())
        raw.append(seen[best] - truth[best])
        shrunk.append(shrunk_lift(among[best], among) - truth[best])

    assert np.mean(raw) > 0.015
    assert abs(np.mean(shrunk)) < 0.004
