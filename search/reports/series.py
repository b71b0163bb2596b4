"""How the evidence and the shares of an experiment went over time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.config.experiment import Experiment
from engine.errors import UnmeasuredError
from engine.evidence.measure import Facts, Pair, measure
from engine.experiment.split import BUCKETS
from engine.experiment.state import WorkflowState
from engine.experiment.window import Window
from engine.stats.betting import bets_for, estimate, harm_log_e, log_e
from search.assess import pair_of

POINTS = 25


@dataclass(frozen=True)
class Point:
    """What was known of a window's pair at one time."""

    at: float
    candidate_units: int
    baseline_units: int
    log_e: float
    harm_log_e: float
    lift: float | None
    se: float | None


@dataclass(frozen=True)
class ShareSpan:
    """A variant's part of the traffic over a span of time."""

    begin: float
    end: float
    variant: str
    share: float


def evidence_series(
    workflow: WorkflowState,
    experiment: Experiment,
    window: Window,
    facts: Facts,
    *,
    until: float,
    points: int = POINTS,
) -> list[Point]:
    """A window's evidence, with that of the windows it continues, at even steps to its end.

    Each point weighs only what had matured by then, so it is what a look at that time found.
    """
    pair = pair_of(workflow, window)
    own = narrowed(facts, pair)
    begin = min(window.opened_at + experiment.maturation_s, until)
    times = np.linspace(begin, until, points) if points > 1 else np.array([until])
    return [_point(own, pair, experiment, window, at=float(at)) for at in times]


def narrowed(facts: Facts, pair: Pair) -> Facts:
    """Only what concerns a pair, so that measuring it again and again is quick."""
    windows = [*pair.candidate_windows, *pair.baseline_windows]
    exposures = facts.exposures.filter(pl.col("version").is_in(list(pair.shares)))
    ids = exposures.filter(
        pl.col("window").is_in(windows), pl.col("variant").is_in([pair.candidate, pair.baseline])
    ).select("trace_id")
    return Facts(
        exposures,
        facts.traces.join(ids, on="trace_id", how="semi"),
        facts.feedback.join(ids, on="trace_id", how="semi"),
    )


def share_series(
    workflow: WorkflowState, times: Mapping[int, float], *, after: int, until: float
) -> list[ShareSpan]:
    """Every variant's planned share under each split in force since entry `after`.

    `times` holds the Unix time of each ledger entry. A split that another one replaced at the same
    time was never in force.
    """
    begin = times[after]
    known = sorted(workflow.splits)
    former = [version for version in known if version < after][-1:]
    splits = {
        max(times[version], begin): workflow.splits[version]
        for version in [*former, *(version for version in known if version > after)]
    }
    spans = []
    for (at, split), end in zip(splits.items(), [*list(splits)[1:], until], strict=False):
        parts = {split.baseline: split.baseline_share}
        for lane in split.lanes:
            parts[lane.variant] = parts.get(lane.variant, 0) + lane.share
        spans += [ShareSpan(at, end, name, part / BUCKETS) for name, part in parts.items()]
    return spans


def _point(facts: Facts, pair: Pair, experiment: Experiment, window: Window, *, at: float) -> Point:
    sample = measure(facts, pair, now=at, maturation_s=experiment.maturation_s)
    try:
        estimated = estimate(sample.quality, f=window.centre)
    except UnmeasuredError:
        estimated = None
    return Point(
        at=at,
        candidate_units=sample.candidate_units,
        baseline_units=sample.baseline_units,
        log_e=log_e(sample.quality, f=window.centre, bets=bets_for(experiment.objective.mde)),
        harm_log_e=harm_log_e(sample.quality, f=window.centre),
        lift=estimated.lift if estimated else None,
        se=estimated.se if estimated else None,
    )
