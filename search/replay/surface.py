"""A known response surface in the place of users: for comparing searches where truth is known."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp

import numpy as np

from engine.config.parameter import Scalar
from engine.config.space import Space
from engine.stats.moments import Moments
from engine.stats.tally import LEVELS
from search.draws import Draws
from search.replay.outcomes import Arrived, Truth

Settings = Mapping[str, Scalar]
SPREAD = 0.8
"""Standard deviation of the logarithm of a latency."""


@dataclass(frozen=True)
class Surface:
    """A quality and a latency for every setting of a space.

    Scores are good or bad; latencies are log-normal.
    """

    name: str
    space: Space
    baseline: dict[str, Scalar]
    quality: Callable[[Settings], float]
    """Probability of a good answer."""
    log_latency: Callable[[Settings], float]
    """Mean natural logarithm of the latency in seconds."""

    @property
    def variants(self) -> Sequence[str]:
        """None: there are too many to list."""
        return ()

    def settings(self, variant: str) -> Settings:
        """The settings that a variant's name spells out."""
        settings: dict[str, Scalar] = json.loads(variant)
        return settings

    def truth(self, variant: str) -> Truth:
        """The surface's own quality and latency, remembered because they are asked for often."""
        if variant not in self._truths:
            settings = self.settings(variant)
            quality, latency_s = self.quality(settings), exp(self.log_latency(settings))
            self._truths[variant] = Truth(quality=quality, latency_s=latency_s)
        return self._truths[variant]

    def receive(
        self, shares: Sequence[tuple[str, float]], count: int, rng: np.random.Generator
    ) -> list[Arrived]:
        """Draw what a batch of independent units would sum up to."""
        split = rng.multinomial(count, [share for _, share in shares])
        return [
            self._drawn(self.truth(variant), int(units), rng)
            for (variant, _), units in zip(shares, split, strict=True)
        ]

    def best(self, latency_ratio: float, draws: int = 40_000, seed: int = 0) -> float:
        """The highest quality within the latency margin, by random search and then by climbing."""
        rng = np.random.default_rng(seed)
        limit = self.log_latency(self.baseline) + np.log(latency_ratio)
        space = Draws(self.space)
        best, at = self.quality(self.baseline), dict(self.baseline)
        for draw in range(draws):
            tried = space.random(rng)
            if draw % 2:
                tried = space.mutated(at, rng, 1 + draw // 2 % 3)
            quality = self.quality(tried)
            if quality > best and self.log_latency(tried) <= limit:
                best, at = quality, tried
        return best

    @cached_property
    def _truths(self) -> dict[str, Truth]:
        return {}

    @staticmethod
    def _drawn(truth: Truth, units: int, rng: np.random.Generator) -> Arrived:
        levels = np.zeros(LEVELS + 1, dtype=np.int64)
        good = int(rng.binomial(units, truth.quality))
        levels[0], levels[LEVELS - 1] = units - good, good
        assert truth.latency_s is not None
        latency = Moments(n=0, mean=0.0, m2=0.0)
        if units:
            mean = rng.normal(np.log(truth.latency_s), SPREAD / np.sqrt(units))
            m2 = SPREAD**2 * rng.chisquare(units - 1) if units > 1 else 0.0
            latency = Moments(n=units, mean=float(mean), m2=float(m2))
        return Arrived(levels=levels, failed=0, latency=latency)


def name_of(settings: Settings) -> str:
    """Settings as a variant's name; equal settings have equal names."""
    return json.dumps(dict(settings), sort_keys=True)
