"""What a replay did to its users, by the truth that a live experiment never sees."""

from collections.abc import Sequence
from dataclasses import dataclass

from search.replay.outcomes import Source, Truth

WITHIN = 0.01
"""A deployed variant this close to the best counts as the best."""


@dataclass(frozen=True)
class Promotion:
    """One change of the baseline."""

    at_request: int
    candidate: str
    replaced: str
    true_lift: float
    """The candidate's true quality less that of what it replaced."""
    true_rank: int | None
    """Place among all variants by true quality, from 1; None where they can't be listed."""
    log_e: float | None
    is_worse: bool
    """Truly worse than what it replaced; among equals every promotion counts as a mistake."""
    is_rollback: bool = False


@dataclass(frozen=True)
class ReplayResult:
    """How one replay went."""

    policy: str
    seed: int
    requests: int
    promotions: tuple[Promotion, ...]
    regret_per_request: float
    """Quality lost to the best feasible variant, on average over all requests."""
    mean_quality: float
    first_true_promotion: int | None
    """Requests before the first promotion of something better."""
    reached_at: int | None
    """Requests after which the baseline stayed within a point of the best; None if never."""
    worst_segment_harm: float | None
    """Largest quality that a promotion cost a segment, as a lift; None without segments."""
    cost: float | None
    """Of all requests."""
    breached_anchor: bool
    """Whether a baseline was ever slower than the margin allows against the first one."""
    final: str
    deployed: tuple[tuple[int, str], ...]
    """(request, variant that was the baseline from then on)."""

    @property
    def holds_best(self) -> bool:
        """Whether the best was reached and held to the end."""
        return self.reached_at is not None


class Track:
    """Keeps the account of one replay."""

    def __init__(
        self, source: Source, baseline: str, *, best: float, latency_ratio: float, aa: bool = False
    ) -> None:
        self.requests = 0
        self._source = source
        self._aa = aa
        self._best = best
        self._anchor = source.truth(baseline)
        self._latency_ratio = latency_ratio
        self._quality = 0.0
        self._cost: float | None = 0.0
        self._promotions: list[Promotion] = []
        self._deployed = [(0, baseline)]

    @property
    def baseline(self) -> str:
        """The variant that serves whatever nobody else does."""
        return self._deployed[-1][1]

    def serve(self, shares: Sequence[tuple[str, float]], count: int) -> None:
        """Count a batch at what its variants are worth."""
        self.requests += count
        for variant, share in shares:
            truth = self._source.truth(variant)
            self._quality += count * share * truth.quality
            if self._cost is not None:
                self._cost = None if truth.cost is None else self._cost + count * share * truth.cost

    def promote(self, candidate: str, log_e: float | None, *, rollback: bool = False) -> None:
        """The baseline changes after the requests counted so far."""
        replaced = self.baseline
        lift = self._source.truth(candidate).quality - self._source.truth(replaced).quality
        self._promotions.append(
            Promotion(
                at_request=self.requests,
                candidate=candidate,
                replaced=replaced,
                true_lift=lift,
                true_rank=self._rank(candidate),
                log_e=log_e,
                is_worse=self._aa or lift < 0.0,
                is_rollback=rollback,
            )
        )
        self._deployed.append((self.requests, candidate))

    def result(self, policy: str, seed: int) -> ReplayResult:
        """The account at the end."""
        requests = max(self.requests, 1)
        made = [one for one in self._promotions if not one.is_rollback]
        return ReplayResult(
            policy=policy,
            seed=seed,
            requests=self.requests,
            promotions=tuple(self._promotions),
            regret_per_request=self._best - self._quality / requests,
            mean_quality=self._quality / requests,
            first_true_promotion=next((p.at_request for p in made if not p.is_worse), None),
            reached_at=self._reached(),
            worst_segment_harm=self._worst_segment(made),
            cost=self._cost,
            breached_anchor=any(self._breaches(variant) for _, variant in self._deployed),
            final=self.baseline,
            deployed=tuple(self._deployed),
        )

    def _rank(self, variant: str) -> int | None:
        if not self._source.variants:
            return None
        own = self._source.truth(variant).quality
        return 1 + sum(self._source.truth(one).quality > own for one in self._source.variants)

    def _reached(self) -> int | None:
        at = None
        for request, variant in reversed(self._deployed):
            truth = self._source.truth(variant)
            if truth.quality < self._best - WITHIN or self._breaches(variant):
                return at
            at = request
        return at

    def _breaches(self, variant: str) -> bool:
        return not is_feasible(self._source.truth(variant), self._anchor, self._latency_ratio)

    def _worst_segment(self, made: Sequence[Promotion]) -> float | None:
        lifts = [
            quality - self._source.truth(one.replaced).segments[name]
            for one in made
            for name, quality in self._source.truth(one.candidate).segments.items()
            if name in self._source.truth(one.replaced).segments
        ]
        return min(lifts, default=None)


def is_feasible(truth: Truth, anchor: Truth, latency_ratio: float) -> bool:
    """Whether a variant is quick enough against the first baseline, by the truth."""
    if truth.latency_s is None or anchor.latency_s is None:
        return True
    return truth.latency_s <= latency_ratio * anchor.latency_s


def best_feasible(source: Source, baseline: str, latency_ratio: float) -> float:
    """The highest true quality among the variants that are quick enough."""
    anchor = source.truth(baseline)
    truths = [source.truth(variant) for variant in source.variants]
    return max(one.quality for one in truths if is_feasible(one, anchor, latency_ratio))
