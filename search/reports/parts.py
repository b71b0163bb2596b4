"""What a candidate did in parts of its traffic: in each segment, and to the slowest requests."""

from contextlib import suppress

from engine.config.experiment import Experiment
from engine.errors import UnmeasuredError
from engine.evidence.measure import Facts, Pair, Questions, durations, measure
from engine.experiment.window import Window
from engine.stats.estimate import Estimate, estimate
from engine.stats.interval import Interval
from engine.stats.quantile import quantile_ratio_interval
from search.frozen import segments_of

ALPHA, TAIL = 0.05, 0.95
"""Of the interval that is shown, and the quantile that the slowest requests are told by."""


def by_segment(
    facts: Facts, pair: Pair, config: Experiment, window: Window, *, now: float
) -> dict[str, Estimate]:
    """How it compares in each segment where both sides are rated."""
    objective = config.objective.metric
    asked = Questions(
        objective=objective,
        metrics={name: one for name, one in config.metrics.items() if name == objective},
        segments=segments_of(facts),
    )
    sample = measure(facts, pair, now=now, maturation_s=config.maturation_s, questions=asked)
    found: dict[str, Estimate] = {}
    for name, tallies in sample.segments.items():
        with suppress(UnmeasuredError):
            found[name] = estimate(tallies, f=window.f0)
    return found


def slowest(facts: Facts, pair: Pair, config: Experiment, *, now: float) -> Interval | None:
    """Its 95th percentile over the baseline's, by a sequence that holds at every look."""
    sides = durations(facts, pair, now=now, maturation_s=config.maturation_s)
    try:
        return quantile_ratio_interval(
            *sides, TAIL, alpha=ALPHA, planned_units=config.windows.max_units
        )
    except UnmeasuredError:
        return None
