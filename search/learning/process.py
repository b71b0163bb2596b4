"""A Gaussian process that is observed only through differences to a concurrent baseline.

A window measures g(x) - g(b) with a known variance, so a change of the baseline needs no
re-reading of what came before, and a window that ended early is a row with a wide error. Matérn
5/2 with one length scale for each parameter (Rasmussen & Williams 2006, equations 2.23-2.24, 4.17
and 5.9, under the linear map that takes the differences).
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from engine.stats.arrays import FloatArray, IntArray

ROOT = np.sqrt(5.0)
JITTER = 1e-9
SPREAD_SCALE = 0.7
"""Standard deviation of the logarithm of a length scale around 1, before anything is known."""
SPREAD_SD = 0.5
"""The same of the process's own standard deviation."""
STEPS = 20
REACH = 2.5
"""How far a logarithm of a scale may go: beyond it the rows could not tell the difference."""


@dataclass(frozen=True)
class Scales:
    """What a process believes of its smoothness."""

    sd: float
    lengths: FloatArray
    """One for each parameter."""


@dataclass(frozen=True, eq=False)
class Differences:
    """Rows of measured differences."""

    points: FloatArray
    """(distinct points, columns)."""
    candidate: IntArray
    """Row to point."""
    baseline: IntArray
    """Row to point."""
    value: FloatArray
    variance: FloatArray


class Process:
    """The belief about a surface, given differences on it."""

    def __init__(self, groups: IntArray, *, sd: float) -> None:
        self._groups = groups
        self._usual_sd = sd
        self.scales = Scales(sd, np.ones(int(groups.max()) + 1))

    def fit(self, rows: Differences) -> None:
        """Choose the scales that explain the rows best, by maximum a posteriori."""
        squares = self._squares(rows.points)
        usual = np.log(self._usual_sd)
        start = np.log(np.concatenate([[self.scales.sd], self.scales.lengths]))
        found = minimize(
            lambda theta: self._loss(theta, rows, squares),
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=[(usual - REACH, usual + REACH), *[(-REACH, REACH)] * (start.size - 1)],
            options={"maxiter": STEPS},
        )
        if np.isfinite(found.fun):
            self.scales = Scales(float(np.exp(found.x[0])), np.exp(found.x[1:]))

    def differences(
        self, rows: Differences, points: FloatArray, baseline: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of g(point) - g(baseline) for each point."""
        every = np.concatenate([points, baseline[None, :]])
        kernel = self._kernel(rows.points, rows.points)
        factor = cho_factor(_between(kernel, rows) + np.diag(rows.variance + JITTER))
        cross = self._kernel(every, rows.points)
        seen = cross[:, rows.candidate] - cross[:, rows.baseline]
        gain = seen[:-1] - seen[-1]
        mean = gain @ cho_solve(factor, rows.value)
        prior = 2.0 * (self.scales.sd**2 - self._kernel(points, baseline[None, :])[:, 0])
        variance = prior - np.einsum("ij,ji->i", gain, cho_solve(factor, gain.T))
        return mean, np.sqrt(np.maximum(variance, 1e-12))

    def likeness(self, points: FloatArray, others: FloatArray) -> FloatArray:
        """Each point's highest correlation with any of the others."""
        highest: FloatArray = self._kernel(points, others).max(axis=1) / self.scales.sd**2
        return highest

    def _kernel(self, a: FloatArray, b: FloatArray) -> FloatArray:
        lengths = self.scales.lengths[self._groups]
        a, b = a / lengths, b / lengths
        square = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2.0 * a @ b.T
        return self.scales.sd**2 * _matern(np.sqrt(np.maximum(square, 0.0)))

    def _squares(self, points: FloatArray) -> FloatArray:
        """Squared distances by parameter, before any scale."""
        gaps = (points[:, None, :] - points[None, :, :]) ** 2
        sums = np.zeros((int(self._groups.max()) + 1, len(points), len(points)))
        np.add.at(sums, self._groups, np.moveaxis(gaps, 2, 0))
        return sums

    def _loss(
        self, theta: FloatArray, rows: Differences, squares: FloatArray
    ) -> tuple[float, FloatArray]:
        """The negative logarithm of the posterior of the scales, and its gradient."""
        sd, lengths = np.exp(theta[0]), np.exp(theta[1:])
        scaled = squares / (lengths**2)[:, None, None]
        distance = np.sqrt(np.maximum(scaled.sum(axis=0), 0.0))
        kernel = sd**2 * _matern(distance)
        try:
            factor = cho_factor(_between(kernel, rows) + np.diag(rows.variance + JITTER))
        except np.linalg.LinAlgError:
            return np.inf, np.zeros_like(theta)
        weights = cho_solve(factor, rows.value)
        inverse = cho_solve(factor, np.eye(rows.value.size))
        off = np.concatenate(
            [[(theta[0] - np.log(self._usual_sd)) / SPREAD_SD], theta[1:] / SPREAD_SCALE]
        )
        loss = rows.value @ weights / 2.0 + np.log(np.diag(factor[0])).sum() + (off**2).sum() / 2.0
        pull = _spread(inverse - np.outer(weights, weights), rows, len(rows.points))
        slope = sd**2 * (5.0 / 3.0) * (1.0 + ROOT * distance) * np.exp(-ROOT * distance)
        by_length = np.einsum("ij,gij->g", pull * slope, scaled) / 2.0
        by_sd = (pull * kernel).sum()
        spread = np.concatenate([[SPREAD_SD], np.full(lengths.size, SPREAD_SCALE)])
        return float(loss), np.concatenate([[by_sd], by_length]) + off / spread


def _matern(distance: FloatArray) -> FloatArray:
    value: FloatArray = (1.0 + ROOT * distance + 5.0 * distance**2 / 3.0) * np.exp(-ROOT * distance)
    return value


def _between(kernel: FloatArray, rows: Differences) -> FloatArray:
    """The covariance of the differences."""
    mine = kernel[rows.candidate] - kernel[rows.baseline]
    return mine[:, rows.candidate] - mine[:, rows.baseline]


def _spread(matrix: FloatArray, rows: Differences, points: int) -> FloatArray:
    """A matrix over rows as one over points: the transposed map of `_between`."""
    signs = np.zeros((rows.value.size, points))
    index = np.arange(rows.value.size)
    np.add.at(signs, (index, rows.candidate), 1.0)
    np.add.at(signs, (index, rows.baseline), -1.0)
    spread: FloatArray = signs.T @ matrix @ signs
    return spread
