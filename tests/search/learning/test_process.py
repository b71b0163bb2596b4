"""Laws of a belief about differences: nothing is known of the baseline against itself but all."""

import numpy as np
import pytest
from scipy.optimize import check_grad

from search.learning.process import Differences, Process

GROUPS = np.array([0, 1])


def rows(values, variances, points, candidate=None, baseline=None):
    count = len(values)
    return Differences(
        points=np.array(points, dtype=float),
        candidate=np.array(candidate if candidate is not None else range(1, count + 1)),
        baseline=np.array(baseline if baseline is not None else [0] * count),
        value=np.array(values, dtype=float),
        variance=np.array(variances, dtype=float),
    )


POINTS = [[0.5, 0.5], [0.1, 0.5], [0.9, 0.5]]
SEEN = rows([-0.03, 0.05], [1e-6, 1e-6], POINTS)


def believed(seen, points, baseline=(0.5, 0.5)):
    process = Process(GROUPS, sd=0.04)
    return process.differences(seen, np.array(points, dtype=float), np.array(baseline))


def test_the_baseline_does_not_differ_from_itself():
    mean, sd = believed(SEEN, [[0.5, 0.5]])

    assert mean[0] == pytest.approx(0.0, abs=1e-9)
    assert sd[0] == pytest.approx(0.0, abs=1e-5)


def test_what_was_measured_well_is_believed():
    mean, sd = believed(SEEN, POINTS[1:])

    assert mean == pytest.approx([-0.03, 0.05], abs=1e-3)
    assert sd.max() < 2e-3


def test_differences_are_antisymmetric():
    there, _ = believed(SEEN, [[0.9, 0.5]], baseline=(0.1, 0.5))
    back, _ = believed(SEEN, [[0.1, 0.5]], baseline=(0.9, 0.5))

    assert there[0] == pytest.approx(-back[0])
    assert there[0] == pytest.approx(0.08, abs=2e-3)


def test_a_row_without_information_changes_nothing():
    noisy = rows([-0.03, 0.05, 0.9], [1e-6, 1e-6, 1e6], [*POINTS, [0.9, 0.9]])

    for mine, theirs in zip(
        believed(SEEN, [[0.3, 0.7]]), believed(noisy, [[0.3, 0.7]]), strict=True
    ):
        assert mine == pytest.approx(theirs, abs=1e-6)


def test_rows_weigh_by_their_own_errors():
    twice = rows([0.04, 0.0], [1e-6, 1e-2], POINTS[:2], candidate=[1, 1])

    mean, _ = believed(twice, [POINTS[1]])

    assert mean[0] == pytest.approx(0.04, abs=1e-3)


def test_a_change_of_the_baseline_needs_no_reading_anew():
    chained = rows([0.02, 0.03], [1e-6, 1e-6], POINTS, candidate=[1, 2], baseline=[0, 1])

    mean, _ = believed(chained, [POINTS[2]])

    assert mean[0] == pytest.approx(0.05, abs=2e-3)


def test_the_scales_follow_the_slope_of_their_posterior():
    rng = np.random.default_rng(0)
    points = rng.random((9, 2))
    seen = rows(rng.normal(0, 0.03, 8), [1e-4] * 8, points)
    process = Process(GROUPS, sd=0.04)
    squares = process._squares(seen.points)

    wrong = check_grad(
        lambda theta: process._loss(theta, seen, squares)[0],
        lambda theta: process._loss(theta, seen, squares)[1],
        rng.normal(0.0, 0.3, 3),
    )

    assert wrong < 1e-3


def test_a_parameter_that_matters_gets_the_shorter_scale():
    rng = np.random.default_rng(1)
    points = rng.random((60, 2))
    truth = 0.05 * np.sin(9.0 * points[:, 0])
    seen = rows(truth[1:] - truth[0], [1e-6] * 59, points)
    process = Process(GROUPS, sd=0.04)

    process.fit(seen)

    assert process.scales.lengths[0] < process.scales.lengths[1] / 2.0
