"""What the replays of one policy come to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from engine.stats.interval import Interval
from engine.stats.proportion import paired_interval, wilson
from search.replay.track import ReplayResult

POINTS = 100
"""Steps of a curve."""


@dataclass(frozen=True)
class Reached:
    """Requests until something came; None where it did not in so many of the replays."""

    median: int | None
    p90: int | None


@dataclass(frozen=True)
class PolicySummary:
    """One policy over its replays: intervals cover the dice of the replay, not another table."""

    policy: str
    replicates: int
    requests: int
    """Of each replay."""
    promotions: int
    """Of all replays; going back is not counted."""
    rollbacks: int
    worse: int
    """Promotions of something truly worse; among equals, every one."""
    worse_share: Interval | None
    """Of the promotions; None where there were none."""
    mistaken: Interval
    """Share of the replays with any such promotion: the risk that a budget `alpha` bounds."""
    true_lift: float | None
    """Mean over the promotions, on the scale of the score."""
    true_rank: float | None
    """Median rank of what was promoted, 1 for the best."""
    regret_per_request: Interval
    """Quality lost to the best feasible variant."""
    mean_quality: Interval
    """Of all requests, trials included."""
    first_true_promotion: Reached
    holds_best: Interval
    """Share of the replays that reach and hold a variant within a point of the best."""
    reached_at: Reached
    worst_segment_harm: float | None
    """Largest loss that any promotion caused in a segment, as a negative lift."""
    cost_per_request: float | None
    too_slow: Interval
    """Share of the replays that ever served a baseline beyond the latency margin."""


@dataclass(frozen=True)
class Curve:
    """How good the deployed baseline was on the way."""

    policy: str
    requests: tuple[int, ...]
    quality: tuple[float, ...]
    """True quality of the baseline after so many requests, averaged over the replays."""


def summarised(results: Sequence[ReplayResult]) -> tuple[PolicySummary, ...]:
    """Sum up each policy's replays, in the order in which the policies come.

    Shares have the score interval (Wilson 1927) over promotions or replays, means that of Student
    (1908) over replays.

    Raises:
        UnmeasuredError: A policy was replayed less than twice, so nothing shows its spread.
    """
    return tuple(_summary(name, own) for name, own in _by_policy(results).items())


def curves_of(results: Sequence[ReplayResult], quality: Mapping[str, float]) -> tuple[Curve, ...]:
    """How the deployed baseline's true quality goes on, on average; `quality` is by variant."""
    return tuple(_curve(name, own, quality) for name, own in _by_policy(results).items())


def _by_policy(results: Sequence[ReplayResult]) -> dict[str, list[ReplayResult]]:
    found: dict[str, list[ReplayResult]] = {}
    for result in results:
        found.setdefault(result.policy, []).append(result)
    return found


def _summary(policy: str, results: Sequence[ReplayResult]) -> PolicySummary:
    n = len(results)
    made = [one for result in results for one in result.promotions if not one.is_rollback]
    ranks = [one.true_rank for one in made if one.true_rank is not None]
    worse = sum(one.is_worse for one in made)
    mistaken = sum(
        any(one.is_worse for one in result.promotions if not one.is_rollback) for result in results
    )
    harms = [one.worst_segment_harm for one in results if one.worst_segment_harm is not None]
    costs = [one.cost / one.requests for one in results if one.cost is not None]
    return PolicySummary(
        policy=policy,
        replicates=n,
        requests=results[0].requests,
        promotions=len(made),
        rollbacks=sum(len(result.promotions) for result in results) - len(made),
        worse=worse,
        worse_share=wilson(worse, len(made)) if made else None,
        mistaken=wilson(mistaken, n),
        true_lift=float(np.mean([one.true_lift for one in made])) if made else None,
        true_rank=float(np.median(ranks)) if ranks else None,
        regret_per_request=paired_interval([one.regret_per_request for one in results]),
        mean_quality=paired_interval([one.mean_quality for one in results]),
        first_true_promotion=_reached([one.first_true_promotion for one in results]),
        holds_best=wilson(sum(one.holds_best for one in results), n),
        reached_at=_reached([one.reached_at for one in results]),
        worst_segment_harm=min(harms, default=None),
        cost_per_request=float(np.mean(costs)) if costs else None,
        too_slow=wilson(sum(one.breached_anchor for one in results), n),
    )


def _reached(requests: Sequence[int | None]) -> Reached:
    """The least counts that half and nine tenths of the replays kept to."""
    known = sorted(one for one in requests if one is not None)

    def quantile(part: float) -> int | None:
        place = ceil(part * len(requests)) - 1
        return known[place] if place < len(known) else None

    return Reached(median=quantile(0.5), p90=quantile(0.9))


def _curve(policy: str, results: Sequence[ReplayResult], quality: Mapping[str, float]) -> Curve:
    at = np.linspace(0, results[0].requests, POINTS + 1).astype(np.int64)
    heights = np.zeros(at.size)
    for result in results:
        since = [request for request, _ in result.deployed]
        worth = np.array([quality[variant] for _, variant in result.deployed])
        heights += worth[np.searchsorted(since, at, side="right") - 1]
    return Curve(
        policy=policy,
        requests=tuple(int(one) for one in at),
        quality=tuple(float(one) for one in heights / len(results)),
    )
