"""What is expected of units before a window opens: measured on the baseline's own, then frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.config.experiment import Experiment
from engine.evidence.measure import Facts, Pair, Questions, Shares, measure
from engine.experiment.expected import Expected
from engine.experiment.split import BUCKETS
from engine.experiment.state import WorkflowState
from engine.experiment.verdict import Evidence
from engine.stats.arrays import IntArray
from engine.stats.sample import Sample
from engine.stats.tally import LEVELS, PLAIN, SCORES, Scale, Tally

ENOUGH_RATED = 50
"""Rated baseline units before their mean is worth freezing."""
NO_HISTORY = 0.5
FARTHEST = 0.02
"""A frozen mean stays this far from 0 and 1, where it would leave a test no variance."""


@dataclass(frozen=True)
class Frozen:
    """What is expected of units before a window opens, and the facts behind it."""

    f0: float
    expected: Expected | None
    measured: Evidence


def frozen(
    workflow: WorkflowState, experiment: Experiment, facts: Facts, *, upto: int, now: float
) -> Frozen:
    """The baseline's mean of the objective so far, of all units and by segment."""
    objective = experiment.objective.metric
    declared = {name: one for name, one in experiment.metrics.items() if name == objective}
    sample = baseline_sample(
        facts,
        workflow,
        now=now,
        maturation_s=experiment.maturation_s,
        questions=Questions(objective=objective, metrics=declared, segments=segments_of(facts)),
    )
    return Frozen(
        f0=mean_of(sample),
        expected=expected_of(sample),
        measured=Evidence(upto=upto, now=now, digest=sample.digest),
    )


def segments_of(facts: Facts) -> tuple[str, ...]:
    """Every segment that was ever met."""
    return tuple(sorted(set(facts.exposures["segment"].drop_nulls()) - {""}))


def baseline_mean(
    facts: Facts, workflow: WorkflowState, *, now: float, maturation_s: float
) -> float:
    """The baseline's mean matured score in its own buckets; 0.5 while hardly anything is rated."""
    return mean_of(baseline_sample(facts, workflow, now=now, maturation_s=maturation_s))


def baseline_sample(
    facts: Facts,
    workflow: WorkflowState,
    *,
    now: float,
    maturation_s: float,
    questions: Questions | None = None,
) -> Sample:
    """What the baseline did in its own buckets, as a pair without a candidate."""
    versions = [v for v, split in workflow.splits.items() if split.baseline == workflow.baseline]
    alone = Pair(
        candidate="",
        baseline=workflow.baseline,
        candidate_windows=(),
        baseline_windows=("",),
        shares=dict.fromkeys(versions, Shares(1, BUCKETS - 1)),
    )
    asked = questions or Questions()
    return measure(facts, alone, now=now, maturation_s=maturation_s, questions=asked)


def mean_of(sample: Sample) -> float:
    """The baseline's mean score, kept from 0 and 1; 0.5 while hardly anything is rated."""
    return mean_from(_counted(sample.quality), _scale(sample))


def mean_from(rated: IntArray, scale: Scale = PLAIN) -> float:
    """The same from counts of scores."""
    return _mean(rated, scale) if rated.sum() >= ENOUGH_RATED else NO_HISTORY


def expected_of(sample: Sample) -> Expected | None:
    """The baseline's mean score by segment; None while fewer than two are rated often enough."""
    segments = {name: _counted(tallies) for name, tallies in sample.segments.items()}
    return expected_from(_counted(sample.quality), segments, _scale(sample))


def expected_from(
    rated: IntArray, segments: Mapping[str, IntArray], scale: Scale = PLAIN
) -> Expected | None:
    """The same from counts of scores, of all units and of each segment's."""
    often = {name: own for name, own in segments.items() if own.sum() >= ENOUGH_RATED}
    if len(often) < 2:
        return None
    rest = rated - sum(often.values())
    parts = [*often.values(), *([rest] if rest.sum() else [])]
    means = [_mean(part, scale) for part in parts]
    spread = sum(
        int(part.sum()) * scale.variance(mean) for part, mean in zip(parts, means, strict=True)
    )
    return Expected(
        segments=dict(zip(often, means, strict=False)), variance=spread / int(rated.sum())
    )


def _counted(tallies: Sequence[Tally]) -> IntArray:
    """The baseline's scores of all tallies."""
    return sum((tally.baseline for tally in tallies), np.zeros(LEVELS, dtype=np.int64))


def _scale(sample: Sample) -> Scale:
    return sample.quality[0].scale if sample.quality else PLAIN


def _mean(counts: IntArray, scale: Scale) -> float:
    """A mean score, kept from 0 and 1."""
    mean = scale.value(float(counts @ SCORES) / int(counts.sum()))
    return min(max(mean, FARTHEST), 1.0 - FARTHEST)
