"""The next candidate: where an improvement within the guardrails is most to be expected."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import log, pi, sqrt

import numpy as np
from scipy.special import ndtr

from engine.config.parameter import Scalar
from engine.config.paths import Setting
from engine.config.space import Space
from engine.stats.arrays import FloatArray
from search.draws import Draws, Params
from search.learning.encoding import Encoding
from search.learning.process import Differences, Process

QUALITY_SD = 0.04
"""Standard deviation of quality over a space, before anything is known."""
LOG_LATENCY_SD = 0.3
ERROR_SD = 0.02
FIT_EVERY = 5
NEAR, FAR, CLOSER = 320, 256, 96
"""Proposals weighed: close to what is good, anywhere, and then around the most promising."""
BEST = 4
"""Rows whose candidates are starting points beside the baseline."""
FEW = 6
TRIES = 200
REPULSION = 0.9
FLOOR_SE = 1e-3
LEAST_GAIN = 1e-15
PROVABLE = 0.25
"""Part of the smallest effect worth finding below which an improvement counts for nothing: it
would take all the traffic that there is to prove it."""


@dataclass(frozen=True)
class Measured:
    """A difference with its standard error."""

    value: float
    se: float


@dataclass(frozen=True)
class Row:
    """What one window measured of its candidate against its concurrent baseline."""

    candidate: Params
    baseline: Params
    lift: Measured | None
    log_latency: Measured | None = None
    """Of the ratio of geometric means."""
    errors: Measured | None = None
    """Of the error rates."""


@dataclass(frozen=True)
class Limits:
    """What the guardrails leave against the present baseline."""

    latency_ratio: float = 1.2
    error_margin: float = 0.02


@dataclass
class Learner:
    """Proposes from differences; keeps its scales between proposals."""

    space: Space
    seed: int
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Of the workflow that is searched: a forbidden combination may name what no search changes."""
    mde: float = 0.02
    startup: int = FEW
    """Rows below which a model would only repeat its prior: half a guess nearby, half anywhere."""
    _fitted: int = field(default=-FIT_EVERY, init=False)

    def __post_init__(self) -> None:
        self._draws = Draws(self.space)
        self._encoding = Encoding(self._draws)
        self._rng = np.random.default_rng(self.seed)
        groups = self._encoding.groups
        self._quality = Process(groups, sd=QUALITY_SD)
        self._latency = Process(groups, sd=LOG_LATENCY_SD)
        self._errors = Process(groups, sd=ERROR_SD)

    def reseed(self) -> None:
        """Begin other draws."""
        self._rng = np.random.default_rng()

    def propose(
        self,
        rows: Sequence[Row],
        baseline: Params,
        *,
        taken: Iterable[Params] = (),
        pending: Sequence[Params] = (),
        limits: Limits | None = None,
        among: Sequence[Params] | None = None,
    ) -> dict[str, Scalar] | None:
        """The most promising proposal that is not taken, forbidden or the baseline itself.

        `pending` are open trials: they count as taken, and what resembles them is worth less.
        `among` restricts the choice to a list. None when nothing is left.
        """
        known = {_key(one) for one in (*taken, *pending, baseline)}
        known_rows = [row for row in rows if row.lift is not None]
        if among is not None:
            pool = [one for one in among if _key(one) not in known]
        elif len(known_rows) < self.startup:
            pool = self._some(lambda: self._start(baseline), 1, known)
        else:
            pool = self._pool(known_rows, baseline, known)
        if not pool:
            return None
        if len(known_rows) < self.startup:
            chosen = pool[int(self._rng.integers(len(pool)))]
            return dict(chosen)
        self._fit(known_rows)
        worth = self._worth(known_rows, baseline, pending, limits or Limits())
        scores = worth(pool)
        if among is None:
            centres = [pool[index] for index in np.argsort(scores)[-BEST:]]
            closer = self._some(lambda: self._close(centres, 1), CLOSER, known)
            pool, scores = [*pool, *closer], np.concatenate([scores, worth(closer)])
        best = pool[int(np.argmax(scores))]
        return dict(best)

    def _pool(self, rows: Sequence[Row], baseline: Params, known: set[str]) -> list[Params]:
        hopeful = sorted(rows, key=_hope)[-BEST:]
        centres = [baseline] * len(hopeful) + [row.candidate for row in hopeful]
        near = self._some(lambda: self._close(centres, 1 + int(self._rng.integers(4))), NEAR, known)
        far = self._some(lambda: self._draws.random(self._rng), FAR, known)
        return [*near, *far]

    def _start(self, baseline: Params) -> Params:
        """Before there is anything to learn from: half close to the baseline, half anywhere."""
        if self._rng.random() < 0.5:
            return self._draws.mutated(baseline, self._rng)
        return self._draws.random(self._rng)

    def _close(self, centres: Sequence[Params], knobs: int) -> Params:
        centre = centres[int(self._rng.integers(len(centres)))]
        # A candidate of another time may hold what is no longer searched.
        return self._draws.mutated(self._draws.fitted(centre, self._rng), self._rng, knobs)

    def _some(self, draw: Callable[[], Params], count: int, known: set[str]) -> list[Params]:
        """Distinct new proposals, fewer where the space has no more."""
        found: dict[str, Params] = {}
        for _ in range(max(count, TRIES)):
            params = draw()
            key = _key(params)
            if (
                key not in known
                and key not in found
                and not self._draws.is_forbidden(params, self.settings)
            ):
                found[key] = params
                if len(found) == count:
                    break
        return list(found.values())

    def _fit(self, rows: Sequence[Row]) -> None:
        if len(rows) < self._fitted + FIT_EVERY:
            return
        self._fitted = len(rows)
        self._quality.fit(self._differences(rows, "lift"))
        for process, name in ((self._latency, "log_latency"), (self._errors, "errors")):
            differences = self._differences(rows, name)
            if differences.value.size >= FEW:
                process.fit(differences)

    def _worth(
        self, rows: Sequence[Row], baseline: Params, pending: Sequence[Params], limits: Limits
    ) -> Callable[[Sequence[Params]], FloatArray]:
        """Constrained expected improvement (Gardner et al. 2014), less near open trials."""
        at = self._encoding.points([baseline])[0]
        quality = self._differences(rows, "lift")
        rails = [
            (process, differences, limit)
            for process, name, limit in (
                (self._latency, "log_latency", log(limits.latency_ratio)),
                (self._errors, "errors", limits.error_margin),
            )
            if (differences := self._differences(rows, name)).value.size >= FEW
        ]
        open_points = self._encoding.points(pending)

        def worth(pool: Sequence[Params]) -> FloatArray:
            if not pool:
                return np.zeros(0)
            points = self._encoding.points(pool)
            mean, sd = self._quality.differences(quality, points, at)
            scores = _expected_improvement(mean - PROVABLE * self.mde, sd)
            for process, differences, limit in rails:
                mean, sd = process.differences(differences, points, at)
                scores = scores * ndtr((limit - mean) / sd)
            if len(open_points):
                scores = scores * (1.0 - REPULSION * self._quality.likeness(points, open_points))
            return scores

        return worth

    def _differences(self, rows: Sequence[Row], name: str) -> Differences:
        """The rows that measured this figure, over their distinct points."""
        index: dict[str, int] = {}
        proposals: list[Params] = []

        def place(params: Params) -> int:
            key = _key(params)
            if key not in index:
                index[key] = len(proposals)
                proposals.append(params)
            return index[key]

        measured = [(row, getattr(row, name)) for row in rows if getattr(row, name) is not None]
        candidate = [place(row.candidate) for row, _ in measured]
        baseline = [place(row.baseline) for row, _ in measured]
        return Differences(
            points=self._encoding.points(proposals),
            candidate=np.array(candidate, dtype=np.int64),
            baseline=np.array(baseline, dtype=np.int64),
            value=np.array([one.value for _, one in measured]),
            variance=np.array([max(one.se, FLOOR_SE) ** 2 for _, one in measured]),
        )


def _key(params: Mapping[str, Scalar]) -> str:
    return repr(sorted(params.items()))


def _hope(row: Row) -> float:
    """A cautious reading of a lift: what is poorly measured is no place to start from."""
    return -1.0 if row.lift is None else row.lift.value - row.lift.se


def _expected_improvement(mean: FloatArray, sd: FloatArray) -> FloatArray:
    z = mean / sd
    gain: FloatArray = mean * ndtr(z) + sd * np.exp(-(z**2) / 2.0) / sqrt(2.0 * pi)
    return np.maximum(gain, LEAST_GAIN)
