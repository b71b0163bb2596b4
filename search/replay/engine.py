"""One replay: a policy's decisions on recorded or known outcomes, accounted by the truth."""

from dataclasses import dataclass
from typing import Protocol

from engine.config.experiment import Experiment
from engine.errors import ConfigError
from search.replay.fixed import Fixed, Rule, Terms, article, higher, z_test
from search.replay.listed import proposer_of
from search.replay.loop import Loop
from search.replay.outcomes import Outcomes, Recorded, Source
from search.replay.proposing import Anew, Proposer
from search.replay.track import ReplayResult, Track, best_feasible

LOOKS = 500
"""Batches that a replay is cut into, unless they would become too small or too large."""
FEWEST, MOST = 100, 2_000
"""Requests of one batch."""
SLOTS = 4
SHARE = 0.05
FIXED: dict[str, tuple[Rule, int]] = {
    "article": (article, 1_000),
    "fixed-z": (z_test(0.05 / SLOTS), 2_000),
    "tpe": (higher, 2_000),
}
"""Rules that judge a window once, with its usual length in candidate units."""
POLICIES = ("trimtab", *FIXED)


@dataclass(frozen=True)
class Asked:
    """What one replay is asked to do; the same question gives the same result."""

    policy: str
    baseline: str
    """The variant that serves at the start."""
    requests: int
    seed: int
    aa: bool = False
    """Every variant's outcomes are the baseline's."""
    units: int | None = None
    """Another length of a fixed window, in candidate units."""


class Runner(Protocol):
    """What takes requests in."""

    def receive(self, count: int) -> None:
        """Let this many requests arrive, then decide."""
        ...


def replay_once(outcomes: Outcomes, experiment: Experiment, asked: Asked) -> ReplayResult:
    """Replay a table of outcomes under one policy.

    Raises:
        ConfigError: The policy or the baseline is unknown.
        UnmeasuredError: A variant has no rated unit.
    """
    source = Recorded(outcomes, baseline=asked.baseline, seed=asked.seed, aa=asked.aa)
    best = best_feasible(source, asked.baseline, experiment.guardrails.latency_ratio)
    return replay_source(source, experiment, asked, best, _pooled(asked, source))


def replay_source(
    source: Source, experiment: Experiment, asked: Asked, best: float, proposer: Proposer
) -> ReplayResult:
    """Let all requests arrive, batch by batch; `best` is the quality that regret is measured from.

    Raises:
        ConfigError: The policy is unknown.
    """
    ratio = experiment.guardrails.latency_ratio
    track = Track(source, asked.baseline, best=best, latency_ratio=ratio, aa=asked.aa)
    runner = _runner(source, experiment, asked, track, proposer)
    batch = min(max(asked.requests // LOOKS, FEWEST), MOST)
    while track.requests < asked.requests:
        runner.receive(min(batch, asked.requests - track.requests))
    return track.result(asked.policy, asked.seed)


def _runner(
    source: Source, experiment: Experiment, asked: Asked, track: Track, proposer: Proposer
) -> Runner:
    if asked.policy == "trimtab":
        return Loop(source, experiment, proposer, track, asked.seed)
    if asked.policy not in FIXED:
        known = ", ".join(POLICIES)
        raise ConfigError(f"there is no policy {asked.policy!r}; there are: {known}")
    rule, usual = FIXED[asked.policy]
    terms = Terms(rule=rule, units=asked.units or usual, slots=SLOTS, share=SHARE)
    return Fixed(source, proposer, track, terms, asked.seed)


def _pooled(asked: Asked, source: Source) -> Proposer:
    """Proposals out of a table's variants."""
    if asked.policy == "trimtab":
        return proposer_of(source, asked.seed)
    return Anew(source.variants, asked.seed)
