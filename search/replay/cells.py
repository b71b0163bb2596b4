"""The counters of a pair of variants in a replay: one cell for each pair of shares."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from engine.stats.arrays import IntArray
from engine.stats.moments import Moments, merged
from engine.stats.ratio import Stratum
from engine.stats.sample import Sample
from engine.stats.tally import LEVELS, Tally
from search.replay.outcomes import Arrived

Shares = tuple[float, float]
"""The candidate's and the baseline's share of all traffic."""
NOTHING: Mapping[str, float] = {}
NONE = Moments(n=0, mean=0.0, m2=0.0)


@dataclass
class Side:
    """One variant's units under one pair of shares."""

    levels: IntArray = field(default_factory=lambda: np.zeros(LEVELS + 1, dtype=np.int64))
    failed: int = 0
    latency: Moments = NONE
    segments: dict[str, IntArray] = field(default_factory=dict)

    @property
    def units(self) -> int:
        """All units, rated or not."""
        return int(self.levels.sum())

    def add(self, arrived: Arrived) -> None:
        """Count one more batch."""
        self.levels = self.levels + arrived.levels
        self.failed += arrived.failed
        self.latency = merged(self.latency, arrived.latency)
        for name, levels in arrived.segments.items():
            self.segments[name] = self.segments.get(name, 0) + levels


class Cells:
    """What is known of a candidate against its concurrent baseline.

    Batches under equal shares are added up: counters merge, and what a batch contributes to the
    evidence depends on its shares alone.
    """

    def __init__(self) -> None:
        self._cells: dict[Shares, tuple[Side, Side]] = {}

    def add(self, shares: Shares, candidate: Arrived, baseline: Arrived) -> None:
        """Count a batch of both sides."""
        sides = self._cells.setdefault(shares, (Side(), Side()))
        sides[0].add(candidate)
        sides[1].add(baseline)

    def sample(self, elapsed_s: float, expected: Mapping[str, float] = NOTHING) -> Sample:
        """All that a verdict may look at; in a replay every outcome is final on arrival.

        `expected` holds the frozen means of segments that are measured from their own.
        """
        cells = [(own / (own + base), c, b) for (own, base), (c, b) in self._cells.items()]
        names = sorted({name for _, c, b in cells for name in (*c.segments, *b.segments)})
        return Sample(
            quality=tuple(tally for cell in cells for tally in _quality(*cell, expected)),
            no_error=tuple(_no_error(pi, c, b) for pi, c, b in cells),
            errors=tuple((pi, c.failed, c.failed + b.failed) for pi, c, b in cells),
            latency=tuple(Stratum(c.latency, b.latency) for _, c, b in cells),
            exposed=tuple(((c.units, b.units), (pi, 1.0 - pi)) for pi, c, b in cells),
            candidate_units=sum(c.units for _, c, _ in cells),
            baseline_units=sum(b.units for _, _, b in cells),
            elapsed_s=elapsed_s,
            digest="",
            segments={name: tuple(_segment(name, *cell) for cell in cells) for name in names},
        )


def _quality(
    pi: float, candidate: Side, baseline: Side, expected: Mapping[str, float]
) -> Iterator[Tally]:
    """The scores of each segment with an expectation of its own, and those of all others."""
    rest = candidate.levels, baseline.levels
    for name, f in sorted(expected.items()):
        own, other = (side.segments.get(name, 0 * side.levels) for side in (candidate, baseline))
        rest = rest[0] - own, rest[1] - other
        yield replace(_tally(pi, own, other), f=f)
    yield _tally(pi, *rest)


def _tally(pi: float, candidate: IntArray, baseline: IntArray) -> Tally:
    return Tally(
        pi=pi,
        candidate=candidate[:LEVELS],
        baseline=baseline[:LEVELS],
        candidate_unrated=int(candidate[LEVELS]),
        baseline_unrated=int(baseline[LEVELS]),
    )


def _no_error(pi: float, candidate: Side, baseline: Side) -> Tally:
    return Tally(pi=pi, candidate=_worked(candidate), baseline=_worked(baseline))


def _worked(side: Side) -> IntArray:
    counts = np.zeros(LEVELS, dtype=np.int64)
    counts[0], counts[-1] = side.failed, side.units - side.failed
    return counts


def _segment(name: str, pi: float, candidate: Side, baseline: Side) -> Tally:
    nobody = np.zeros(LEVELS + 1, dtype=np.int64)
    return _tally(pi, candidate.segments.get(name, nobody), baseline.segments.get(name, nobody))
