"""From the two books to the sample of a window: the one way, for deciding and for verifying."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time
from math import inf

from engine.config.experiment import Experiment
from engine.config.guardrails import MetricGuardrail
from engine.errors import UnmeasuredError
from engine.evidence.measure import Facts, Pair, Questions, Shares, measure
from engine.experiment.anchor import NOTHING, latency_spent, promotions
from engine.experiment.rules import MetricRule, Rules, SegmentRule
from engine.experiment.split import Split
from engine.experiment.state import WorkflowState
from engine.experiment.verdict import Evidence
from engine.experiment.window import Window
from engine.stats.ratio import Stratum, ratio_interval
from engine.stats.sample import Sample

LATE = 16
"""Candidates that an experiment has tried, after which smaller lifts are looked for."""
SPENT_ALPHA = 0.1
"""Of both sides: only the upper end is used, at the 0.05 of every guardrail's proof."""
SPENT_UNITS = 40_000
"""Units, evenly split, at which that end is nearest: what a holdback of a tenth takes a good while
to show, because every promotion that follows has to live with what it left open."""


def pair_of(workflow: WorkflowState, window: Window, *, since: int = 0) -> Pair:
    """Whose units a window compares, with those of the windows that it continues.

    `since` leaves out snapshot versions before it: a step of a ramp is judged on its own traffic.
    """
    if window.kind == "holdback":
        return _holdback_pair(workflow, window)
    chain = workflow.chain(window)
    ids = tuple(one.id for one in chain)
    shares = {
        version: Shares(_share(split, ids), split.baseline_share)
        for version, split in workflow.splits.items()
        if version >= since and split.baseline == window.baseline and _share(split, ids)
    }
    return Pair(
        candidate=window.candidate,
        baseline=window.baseline,
        candidate_windows=ids,
        baseline_windows=("",),
        shares=shares,
        opened_at=chain[0].opened_at,
        history=frozenset(
            version
            for version, split in workflow.splits.items()
            if split.baseline == window.baseline
            and (window.closed_seq is None or version < window.closed_seq)
        ),
    )


def _holdback_pair(workflow: WorkflowState, window: Window) -> Pair:
    """The promoted variant against the former baseline, with the promoted one as candidate."""
    shares = {
        version: Shares(split.baseline_share, split.share_of(window.id))
        for version, split in workflow.splits.items()
        if split.share_of(window.id)
    }
    return Pair(
        candidate=window.baseline,
        baseline=window.candidate,
        candidate_windows=("",),
        baseline_windows=(window.id,),
        shares=shares,
    )


def _share(split: Split, windows: tuple[str, ...]) -> int:
    return sum(split.share_of(window) for window in windows)


def rules_of(
    experiment: Experiment,
    window: Window,
    *,
    high_risk: bool,
    workflow: WorkflowState | None = None,
    now: float = inf,
    tightened: Mapping[str, float] = NOTHING,
) -> Rules:
    """What this experiment asks of this window's candidate.

    The `workflow`'s past tells how much of the latency margin earlier promotions have spent;
    without it nothing is; `tightened` holds what is known of those by now. `now` decides which
    guardrails have been observed for long enough.
    """
    rails, segments = experiment.guardrails, experiment.segments
    spent = 1.0
    if workflow is not None:
        spent = latency_spent(workflow, window, rails.latency_ratio, tightened)
    return Rules(
        alpha=window.alpha,
        f0=window.f0,
        expected=window.expected,
        mde=experiment.objective.mde,
        latency_ratio=rails.latency_ratio / spent,
        error_margin=rails.error_margin,
        min_units=experiment.windows.min_units,
        max_units=experiment.windows.max_units,
        min_cycle_s=experiment.min_cycle_s,
        needs_approval=experiment.mode != "auto" or high_risk,
        late=workflow is not None and is_late(workflow, window),
        missing=experiment.objective.missing,
        latency_p95=None if rails.latency_p95 is None else rails.latency_p95.ratio / spent,
        paired_p95=rails.latency_p95 is not None and rails.latency_p95.paired,
        timeout_margin=rails.timeout_margin,
        cost_ratio=rails.cost_ratio,
        metrics=tuple(_metric_rule(*one, now) for one in rails.metrics.items()),
        segments=SegmentRule(**segments.model_dump()) if segments.names else None,
        more=workflow is None or may_launch(workflow, experiment),
        best=experiment.windows.allocation == "top-two",
        policy=experiment.policy,
        looks=experiment.windows.looks,
    )


def may_launch(workflow: WorkflowState, experiment: Experiment) -> bool:
    """Whether the experiment may open windows for further trials."""
    return workflow.launched.get(experiment.experiment, 0) < experiment.windows.max_trials


def tightened_by(
    workflow: WorkflowState, experiment: Experiment, facts: Facts, *, now: float
) -> dict[str, float]:
    """Upper bounds of the latency ratios of past promotions, by the id of their ramp.

    From all that the pair has shown by now: as a trial, in its ramp and through the holdback.
    """
    bounds: dict[str, float] = {}
    for ramp, holdback in promotions(workflow):
        pairs = [pair_of(workflow, one) for one in (ramp, holdback) if one is not None]
        strata = [
            stratum
            for pair in pairs
            for stratum in measure(
                facts, pair, now=now, maturation_s=experiment.maturation_s
            ).latency
        ]
        with suppress(UnmeasuredError):
            bounds[ramp.id] = highest_ratio(strata)
    return bounds


def highest_ratio(strata: Sequence[Stratum]) -> float:
    """How much slower than its baseline a promoted variant may be.

    Raises:
        UnmeasuredError: A side has too few units.
    """
    return ratio_interval(strata, alpha=SPENT_ALPHA, planned_units=SPENT_UNITS).high


def is_late(workflow: WorkflowState, window: Window) -> bool:
    """Whether its experiment had tried many candidates before the window opened.

    A promotion does not begin the count anew: what is left to find over a better baseline is
    smaller still. A window that goes on with another's evidence goes on with its question.
    """
    first = workflow.chain(window)[0]
    before = [
        one
        for one in workflow.windows.values()
        if one.kind == "trial" and one.opened_seq < first.opened_seq and not one.continues
    ]
    return sum(one.experiment == first.experiment for one in before) >= LATE


def _metric_rule(name: str, rail: MetricGuardrail, now: float) -> MetricRule:
    until = rail.observe_until
    if until is None or isinstance(until, int):
        return MetricRule(name=name, margin=rail.margin, observe_units=until or 0)
    begins = datetime.combine(until, time(), UTC).timestamp()
    return MetricRule(name=name, margin=rail.margin, blocks=now >= begins)


def questions_of(experiment: Experiment, rules: Rules | None = None) -> Questions:
    """What has to be measured for an experiment, with the margins that `rules` say are left."""
    objective, rails = experiment.objective.metric, experiment.guardrails
    names = sorted({objective, *rails.metrics})
    slow_ratio = None if rails.latency_p95 is None else rails.latency_p95.ratio
    return Questions(
        objective=objective,
        metrics={
            name: experiment.metric(name)
            for name in names
            if name in rails.metrics or name in experiment.metrics
        },
        segments=experiment.segments.names,
        slow_ratio=slow_ratio if rules is None else rules.latency_p95,
        timeouts=rails.timeout_margin is not None,
        cost=rails.cost_ratio is not None,
        expected=rules.expected.segments if rules is not None and rules.expected else {},
    )


def sample_of(
    facts: Facts,
    pair: Pair,
    experiment: Experiment,
    *,
    upto: int,
    now: float,
    rules: Rules | None = None,
) -> tuple[Sample, Evidence]:
    """The pair's sample at `now`, and the words by which it can be measured again."""
    questions = questions_of(experiment, rules)
    sample = measure(
        facts, pair, now=now, maturation_s=experiment.maturation_s, questions=questions
    )
    return sample, Evidence(upto=upto, now=now, digest=sample.digest)
