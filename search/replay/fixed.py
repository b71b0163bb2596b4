"""Rules to compare with: windows of a fixed number of units, judged once at their end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import exp, sqrt

import numpy as np
from scipy.special import ndtri

from engine.stats.tally import LEVELS
from search.replay.cells import Side
from search.replay.outcomes import Source, mean_score
from search.replay.proposing import Place, Proposer, Row
from search.replay.track import Track

LATENCY_RATIO = 1.2
LEAD = 0.02
"""Quality by which the original article's rule wants a candidate to lead."""


@dataclass
class Slot:
    """One window: a candidate and its concurrent baseline."""

    variant: str
    candidate: Side = field(default_factory=Side)
    baseline: Side = field(default_factory=Side)


Rule = Callable[[Slot], bool]
"""Whether a window's end promotes its candidate."""


def article(slot: Slot) -> bool:
    """The article's rule: two points better on the raw rates, and at most 1.2 times slower."""
    return _lead(slot) >= LEAD and _is_quick(slot)


def higher(slot: Slot) -> bool:
    """Any higher raw rate, at most 1.2 times slower: what trusting the best trial amounts to."""
    return _lead(slot) > 0.0 and _is_quick(slot)


def z_test(alpha: float) -> Rule:
    """A one-sided z-test at the end of the window, at most 1.2 times slower."""
    needed = -float(ndtri(alpha))

    def rule(slot: Slot) -> bool:
        error = sqrt(_variance(slot.candidate) + _variance(slot.baseline))
        return error > 0.0 and _lead(slot) / error >= needed and _is_quick(slot)

    return rule


@dataclass(frozen=True)
class Terms:
    """How candidates get their traffic, and what decides at the end of it."""

    rule: Rule
    units: int
    """Of the candidate, after which its window ends."""
    slots: int
    """Windows open at once."""
    share: float
    """Of all traffic, for each."""


class Fixed:
    """Equal shares for all candidates, promotion at once, no holdback, no way back."""

    def __init__(
        self,
        source: Source,
        proposer: Proposer,
        track: Track,
        terms: Terms,
        seed: int,
    ) -> None:
        self._source = source
        self._proposer = proposer
        self._track = track
        self._terms = terms
        self._rng = np.random.default_rng(seed)
        self._slots: list[Slot] = []
        self._rows: list[Row] = []

    def receive(self, count: int) -> None:
        """Let a batch arrive, then judge the windows that are full."""
        self._fill()
        shares = [(slot.variant, self._terms.share) for slot in self._slots]
        shares.append((self._track.baseline, 1.0 - self._terms.share * len(self._slots)))
        arrived = self._source.receive(shares, count, self._rng)
        self._track.serve(shares, count)
        for slot, own in zip(self._slots, arrived, strict=False):
            slot.candidate.add(own)
            slot.baseline.add(arrived[-1])
        for slot in [one for one in self._slots if one.candidate.units >= self._terms.units]:
            self._rows.append(self._row(slot))
            self._slots.remove(slot)
            if _is_rated(slot) and self._terms.rule(slot):
                self._track.promote(slot.variant, None)
                self._slots.clear()
                return

    def _fill(self) -> None:
        while len(self._slots) < self._terms.slots:
            place = Place(
                rows=self._rows,
                baseline=self._track.baseline,
                pending=[slot.variant for slot in self._slots],
                latency_left=LATENCY_RATIO,
            )
            name = self._proposer.propose(place)
            if name is None:
                return
            self._slots.append(Slot(name))

    def _row(self, slot: Slot) -> Row:
        rated = _is_rated(slot)
        return Row(
            candidate=slot.variant,
            baseline=self._track.baseline,
            rate=mean_score(slot.candidate.levels) if rated else None,
            lift=_lead(slot) if rated else None,
            se=sqrt(_variance(slot.candidate) + _variance(slot.baseline)) if rated else None,
            log_ratio=slot.candidate.latency.mean - slot.baseline.latency.mean,
            ratio_se=None,
        )


def _is_rated(slot: Slot) -> bool:
    return all(side.levels[:LEVELS].any() for side in (slot.candidate, slot.baseline))


def _lead(slot: Slot) -> float:
    return mean_score(slot.candidate.levels) - mean_score(slot.baseline.levels)


def _is_quick(slot: Slot) -> bool:
    if min(slot.candidate.latency.n, slot.baseline.latency.n) == 0:
        return True
    gap = slot.candidate.latency.mean - slot.baseline.latency.mean
    return exp(gap) <= LATENCY_RATIO


def _variance(side: Side) -> float:
    """Squared standard error of a side's mean score."""
    counts = side.levels[:LEVELS]
    scores = np.arange(LEVELS) / (LEVELS - 1)
    n, mean = counts.sum(), mean_score(side.levels)
    return float((counts * (scores - mean) ** 2).sum() / n / n)
