"""Laws of the detector: the recursion by hand, few false alarms, and a memory for late changes."""

from math import exp, inf, log

import numpy as np
import pytest

from engine.stats.betting import Bets, log_e, tally_of
from engine.stats.detector import Detector, error_regression_log_e, regression_log_e
from engine.stats.errors import HARMFUL, error_growth, error_log_e

ARL = 5_000


def batch(candidate, baseline, pi=0.5, size=100):
    """A batch of thumbs: how many of so many units of each side were up."""
    return (
        tally_of(
            pi,
            [1.0] * candidate + [0.0] * (size - candidate),
            [1.0] * baseline + [0.0] * (size - baseline),
        ),
    )


def gain(one, delta, margin=0.0):
    return log_e(one, f=0.6, m=margin, bets=Bets((delta,), (1.0,), 0.5), mirrored=True)


def test_two_batches_by_hand():
    first, second = batch(50, 60), batch(55, 62)
    bets = Bets((0.02, 0.08), (0.75, 0.25), 0.5)

    detector = Detector.begun(bets).after(first, f=0.6).after(second, f=0.6)

    sums = [(exp(gain(first, delta)) + 1.0) * exp(gain(second, delta)) for delta in (0.02, 0.08)]
    assert detector.log_sums == pytest.approx([log(one) for one in sums])
    assert detector.log_e == pytest.approx(log(0.75 * sums[0] + 0.25 * sums[1]))


def test_before_any_batch_there_is_no_evidence():
    assert Detector.begun().log_e == -inf
    assert regression_log_e([], f=0.6) == 0.0


def test_a_batch_of_two_propensities_equals_their_evidence_together():
    both = (*batch(50, 60), *batch(20, 30, pi=0.8, size=40))

    detector = Detector.begun().after(both, f=0.6, margin=0.01)

    single = [gain(both, delta, 0.01) for delta in (0.02, 0.04, 0.08, 0.16)]
    assert detector.log_sums == pytest.approx(single)


def test_a_late_change_is_found_in_spite_of_a_long_good_time_before():
    good, bad = [batch(65, 60)] * 60, [batch(48, 60)] * 12

    found = regression_log_e([*good, *bad], f=0.6)
    summed = log_e([one for (one,) in [*good, *bad]], f=0.6, mirrored=True)

    assert found > log(ARL)
    assert summed < 0.0


def test_an_alarm_that_nobody_saw_still_counts():
    batches = [*[batch(40, 60)] * 12, *[batch(80, 60)] * 30]

    assert regression_log_e(batches, f=0.6) == regression_log_e(batches[:12], f=0.6) > log(ARL)


def test_equal_variants_raise_few_false_alarms():
    # 100 000 units of equal variants in each of 20 runs: the bound on the share of runs that
    # alarm within 500 batches is 500 / 5 000.
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(20):
        ups = rng.binomial((180, 20), 0.6, size=(500, 2))
        found = regression_log_e(
            (
                (
                    tally_of(
                        0.9,
                        [1.0] * up + [0.0] * (180 - up),
                        [1.0] * base + [0.0] * (20 - base),
                    ),
                )
                for up, base in ups
            ),
            f=0.6,
        )
        alarms += found >= log(ARL)

    assert alarms <= 5


def test_errors_of_two_batches_by_hand():
    first, second = [(0.9, 20, 21)], [(0.9, 18, 19), (0.5, 3, 5)]

    found = error_regression_log_e([first, second])

    grown = zip(error_growth(first), error_growth(second), strict=True)
    sums = [(exp(one) + 1.0) * exp(two) for one, two in grown]
    assert found == pytest.approx(log(sum(sums) / len(HARMFUL)))


def test_errors_that_begin_late_are_found_in_spite_of_a_long_good_time_before():
    good, bad = [[(0.9, 2, 4)]] * 200, [[(0.9, 40, 40)]] * 6

    found = error_regression_log_e([*good, *bad])

    assert found > log(ARL)
    assert error_log_e([one for (one,) in [*good, *bad]]) < 0.0


def test_equal_errors_raise_few_false_alarms():
    rng = np.random.default_rng(12)
    alarms = 0
    for _ in range(40):
        own, other = rng.binomial((180, 20), 0.02, size=(500, 2)).T
        counts = ([(0.9, int(a), int(a + b))] for a, b in zip(own, other, strict=True))
        alarms += error_regression_log_e(counts) >= log(ARL)

    assert alarms <= 8


def test_without_batches_no_error_is_a_regression():
    assert error_regression_log_e([]) == 0.0
