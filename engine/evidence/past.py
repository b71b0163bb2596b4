"""What the baseline did before it was compared: frozen, so that no outcome sets its own limit."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from engine.evidence.questions import Questions, score_of

ENOUGH_TIMED = 2_000
"""Baseline units with a latency before their 95th percentile is worth freezing."""
ENOUGH_SCORED = 50
"""Scored baseline units before their mean is worth freezing."""
PERCENTILE = 0.95
FARTHEST = 0.02
"""A frozen mean stays this far from 0 and 1, where it would leave a test no variance."""


@dataclass(frozen=True)
class Past:
    """What was frozen."""

    percentile_s: float | None = None
    """The baseline's 95th percentile of a unit's latency; a timed-out unit is above any."""
    since: float = 0.0
    """Unix seconds; the percentile rests on nothing that came later."""
    centres: Mapping[str, float] = field(default_factory=dict)
    """The baseline's mean of each metric, where enough units were scored."""


def past_of(units: pl.DataFrame, questions: Questions, opened_at: float) -> Past:
    """Freeze what the baseline's own matured units say.

    Means rest on what had matured when the window opened. So does the percentile, if enough units
    had; else it is frozen later, with the last of the first units that are enough.
    """
    before = units.filter(pl.col("until") <= opened_at)
    centres = {}
    for name in questions.asked:
        scores = before[score_of(name)].drop_nulls()
        if len(scores) >= ENOUGH_SCORED:
            mean = questions.scale(name).value(float(scores.to_numpy().mean()))
            centres[name] = min(max(mean, FARTHEST), 1.0 - FARTHEST)
    latencies = units.select(
        "until", taken=pl.when("timed_out").then(float("inf")).otherwise("duration_s")
    )
    timed = latencies.drop_nulls().sort("until")
    if questions.slow_ratio is None or timed.height < ENOUGH_TIMED:
        return Past(centres=centres)
    since = max(opened_at, float(timed["until"][ENOUGH_TIMED - 1]))
    percentile_s = timed.filter(pl.col("until") <= since)["taken"].quantile(
        PERCENTILE, interpolation="higher"
    )
    return Past(percentile_s=percentile_s, since=since, centres=centres)
