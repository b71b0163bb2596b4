"""Where replayed units get their outcomes from: a table of logged ones, or a known surface."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.config.paths import Setting
from engine.errors import ConfigError, UnmeasuredError
from engine.stats.arrays import FloatArray, IntArray
from engine.stats.moments import Moments, moments_of
from engine.stats.tally import LEVELS

BoolArray = NDArray[np.bool_]
UNRATED = LEVELS
"""Where a unit without a score is counted, after the levels of the scores."""


@dataclass(frozen=True)
class Truth:
    """What a variant is worth, known because it is a replay."""

    quality: float
    """Mean score of the rated units; a failed unit scores 0."""
    latency_s: float | None = None
    """Geometric mean."""
    cost: float | None = None
    """Mean of one unit, in the table's currency."""
    segments: Mapping[str, float] = field(default_factory=dict)
    """Quality by segment."""


@dataclass(frozen=True, eq=False)
class Arrived:
    """The units of one variant in one batch, summed up."""

    levels: IntArray
    """Units by score in hundredths, and at the last index those without a score."""
    failed: int
    latency: Moments
    """Of the natural logarithm of the latency in seconds; failed units are left out."""
    segments: Mapping[str, IntArray] = field(default_factory=dict)
    """`levels` of each segment alone."""

    @property
    def units(self) -> int:
        """All units, rated or not."""
        return int(self.levels.sum())


class Source(Protocol):
    """What answers in the place of a served workflow."""

    @property
    def variants(self) -> Sequence[str]:
        """Every variant that can be served; a surface may have too many to list and lists none."""
        ...

    def settings(self, variant: str) -> Mapping[str, Setting]:
        """The variant's parameters; empty where nobody said."""
        ...

    def truth(self, variant: str) -> Truth:
        """What the variant is worth."""
        ...

    def receive(
        self, shares: Sequence[tuple[str, float]], count: int, rng: np.random.Generator
    ) -> list[Arrived]:
        """Let units arrive, each assigned by these shares, which sum to 1; in their order."""
        ...


@dataclass(frozen=True, eq=False)
class Outcomes:
    """A table of logged outcomes: one row a unit and variant, variants as numbers."""

    variants: tuple[str, ...]
    variant: IntArray
    """Row to variant."""
    unit: IntArray
    """Row to unit, counted from 0."""
    score: FloatArray
    """In [0, 1]; NaN where unrated."""
    latency_s: FloatArray | None = None
    cost: FloatArray | None = None
    failed: BoolArray | None = None
    segment: IntArray | None = None
    segments: tuple[str, ...] = ()
    params: Mapping[str, Mapping[str, Setting]] = field(default_factory=dict)


class Recorded:
    """Draws from a table: each unit once in a seeded order, then again with replacement.

    A unit that the table does not hold for the variant that it meets gets one of the variant's
    outcomes at random. With `aa` every variant draws from the baseline's outcomes, so that
    whatever is promoted, is promoted by mistake.

    Raises:
        ConfigError: The baseline is no variant of the table.
        UnmeasuredError: A variant has no rated unit.
    """

    def __init__(self, outcomes: Outcomes, *, baseline: str, seed: int, aa: bool = False) -> None:
        if baseline not in outcomes.variants:
            known = ", ".join(outcomes.variants[:8])
            raise ConfigError(f"the baseline {baseline!r} is no variant of the table: {known}")
        self._outcomes = outcomes
        self._number = {name: number for number, name in enumerate(outcomes.variants)}
        self._draws = dict.fromkeys(outcomes.variants, baseline) if aa else {}
        self._rows = [np.flatnonzero(outcomes.variant == n) for n in range(len(outcomes.variants))]
        self._levels = _levels_of(outcomes)
        self._log_latency = None if outcomes.latency_s is None else _log(outcomes.latency_s)
        units = int(outcomes.unit.max()) + 1 if outcomes.unit.size else 0
        self._row_of = np.full((len(outcomes.variants), units), -1, dtype=np.int32)
        self._row_of[outcomes.variant, outcomes.unit] = np.arange(outcomes.unit.size)
        self._order = np.random.default_rng(seed).permutation(units)
        self._arrived = 0
        self._truths = {
            name: self._truth_of(self._number[self._drawn(name)]) for name in self.variants
        }

    @property
    def variants(self) -> Sequence[str]:
        """Every variant of the table."""
        return self._outcomes.variants

    def settings(self, variant: str) -> Mapping[str, Setting]:
        """The variant's row in the table of parameters."""
        return self._outcomes.params.get(variant, {})

    def truth(self, variant: str) -> Truth:
        """Means over all of the variant's rows."""
        return self._truths[variant]

    def receive(
        self, shares: Sequence[tuple[str, float]], count: int, rng: np.random.Generator
    ) -> list[Arrived]:
        """Assign the next units one by one and look their outcomes up."""
        units = self._next(count, rng)
        edges = np.cumsum([share for _, share in shares])[:-1]
        met = np.searchsorted(edges, rng.random(count), side="right")
        return [
            self._arrived_of(self._drawn(variant), units[met == lane], rng)
            for lane, (variant, _) in enumerate(shares)
        ]

    def _drawn(self, variant: str) -> str:
        return self._draws.get(variant, variant)

    def _next(self, count: int, rng: np.random.Generator) -> IntArray:
        fresh = self._order[self._arrived : self._arrived + count]
        self._arrived += count
        again = rng.integers(self._order.size, size=count - fresh.size)
        return np.concatenate([fresh, again])

    def _arrived_of(self, variant: str, units: IntArray, rng: np.random.Generator) -> Arrived:
        number = self._number[variant]
        rows = self._row_of[number, units]
        missing = rows < 0
        if missing.any():
            own = self._rows[number]
            rows[missing] = own[rng.integers(own.size, size=int(missing.sum()))]
        levels = self._levels[rows]
        failed = self._outcomes.failed
        failures = np.zeros(rows.size, dtype=np.bool_) if failed is None else failed[rows]
        latency = Moments(n=0, mean=0.0, m2=0.0)
        if self._log_latency is not None:
            logs = self._log_latency[rows[~failures]]
            latency = moments_of(logs[np.isfinite(logs)])
        return Arrived(
            levels=_counted(levels),
            failed=int(failures.sum()),
            latency=latency,
            segments=self._by_segment(rows, levels),
        )

    def _by_segment(self, rows: IntArray, levels: IntArray) -> dict[str, IntArray]:
        segment = self._outcomes.segment
        if segment is None:
            return {}
        own = segment[rows]
        return {
            name: _counted(levels[own == number])
            for number, name in enumerate(self._outcomes.segments)
        }

    def _truth_of(self, number: int) -> Truth:
        rows = self._rows[number]
        counts = _counted(self._levels[rows])
        segment = self._outcomes.segment
        by_segment = {}
        for index, name in enumerate(self._outcomes.segments if segment is not None else ()):
            assert segment is not None
            of_segment = _counted(self._levels[rows[segment[rows] == index]])
            if of_segment[:LEVELS].any():
                by_segment[name] = mean_score(of_segment)
        logs = None if self._log_latency is None else self._log_latency[rows]
        cost = None if self._outcomes.cost is None else self._outcomes.cost[rows]
        if not counts[:LEVELS].any():
            raise UnmeasuredError(f"variant {self.variants[number]!r} has no rated unit")
        return Truth(
            quality=mean_score(counts),
            latency_s=None if logs is None else float(np.exp(np.nanmean(logs))),
            cost=None if cost is None else float(np.nanmean(cost)),
            segments=by_segment,
        )


def mean_score(levels: IntArray) -> float:
    """The mean of the rated units of a histogram."""
    rated = levels[:LEVELS]
    return float(np.dot(rated, np.arange(LEVELS)) / (LEVELS - 1) / rated.sum())


def _levels_of(outcomes: Outcomes) -> IntArray:
    """Each row's score in hundredths; a failed unit scores 0, rated or not."""
    score = outcomes.score
    rated = ~np.isnan(score)
    levels = np.full(score.size, UNRATED, dtype=np.int64)
    levels[rated] = np.rint(score[rated] * (LEVELS - 1)).astype(np.int64)
    if outcomes.failed is not None:
        levels[outcomes.failed] = 0
    return levels


def _log(latency_s: FloatArray) -> FloatArray:
    """Logarithms; what is not above 0 was not measured."""
    logs = np.full(latency_s.size, np.nan)
    measured = latency_s > 0.0
    logs[measured] = np.log(latency_s[measured])
    return logs


def _counted(levels: IntArray) -> IntArray:
    return np.bincount(levels, minlength=LEVELS + 1).astype(np.int64)
