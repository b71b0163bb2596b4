"""From a sample to the figures that a verdict may rest on."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from engine.errors import UnmeasuredError
from engine.experiment.rules import (
    MISSING_LOG_E,
    SRM_LOG_E,
    MetricRule,
    Rules,
    SegmentRule,
)
from engine.stats.betting import (
    Tally,
    error_free_log_e,
    estimate,
    harm_log_e,
    log_e,
    lower_bound,
    merged,
)
from engine.stats.errors import error_log_e
from engine.stats.exceedance import exceedance_log_e
from engine.stats.mismatch import srm_log_e
from engine.stats.rating import rating_log_e
from engine.stats.ratio import log_ratio, ratio_interval, ratio_log_e
from engine.stats.ratio_of_means import ratio_of_means_interval, ratio_of_means_log_e
from engine.stats.sample import Counts, Sample
from engine.stats.trimming import lee_bounds

Figures = dict[str, float | int | None]

RATED = 0.8
"""Expected share of rated units; a wrong guess costs power, never validity."""
QUICK = 0.95
"""Expected share of units within a limit on the slowest twentieth."""
SHOWN_ALPHA = 0.05
"""Level of the two-sided bounds that are shown, not tested."""
POOLED = "pooled"
"""What segments with too few units are called together."""
_LATENCIES = (
    *("latency_log_e", "latency_ratio", "latency_log_se"),
    *("latency_ratio_low", "latency_ratio_high"),
)
_ESTIMATES = ("lift", "se", "candidate_mean", "baseline_mean", "lift_low")


def figures_of(sample: Sample, rules: Rules, *, bounds: bool = True) -> Figures:
    """Every figure that a verdict may rest on; None where it can't be measured, or isn't needed.

    Versions with equal shares are added up first: what a unit adds to the evidence depends on its
    share alone. Without `bounds` the lift's lower bound is left out; no verdict needs it.
    """
    quality = _added(sample.quality)
    figures: Figures = {
        "candidate_units": sample.candidate_units,
        "baseline_units": sample.baseline_units,
        "elapsed_s": sample.elapsed_s,
        "srm_log_e": srm_log_e(_summed(sample.exposed)),
        "completed_log_e": _mismatch(sample.completed),
        "scored_log_e": _mismatch(sample.scored),
        "error_log_e": error_log_e(sample.errors),
    }
    figures |= _quality(quality, rules, bounds=bounds)
    figures["worst_case_log_e"] = _worst_case(quality, rules) if is_imbalanced(figures) else None
    if is_imbalanced(figures):
        figures |= _trimmed(quality)
    if sample.against:
        against = _added(sample.against)
        figures["unlabelled_log_e"] = log_e(against, f=rules.centre, bets=rules.bets)
    no_error = _added(sample.no_error)
    figures["no_error_log_e"] = error_free_log_e(no_error, margin=rules.error_margin)
    figures |= _latency(sample, rules)
    figures |= _slowest(sample, rules)
    figures |= _timeouts(sample, rules)
    figures |= _cost(sample, rules)
    for metric in rules.metrics:
        figures |= _metric(sample, metric)
    if rules.segments is not None:
        figures |= _segments(sample, rules.segments, rules.f0)
    return figures


def _added(tallies: Sequence[Tally]) -> tuple[Tally, ...]:
    """The tallies with those of equal propensity and expectation added up."""
    totals: dict[tuple[float, float | None], Tally] = {}
    for tally in tallies:
        before = totals.get((tally.pi, tally.f))
        totals[tally.pi, tally.f] = tally if before is None else merged(before, tally)
    return tuple(totals.values())


def _summed(cells: Counts) -> Counts:
    """The counts with those of equal plans added up."""
    totals: dict[tuple[float, ...], tuple[int, ...]] = {}
    for counts, plan in cells:
        before = totals.get(plan, (0,) * len(counts))
        totals[plan] = tuple(a + b for a, b in zip(before, counts, strict=True))
    return tuple((counts, plan) for plan, counts in totals.items())


def _mismatch(cells: Counts) -> float | None:
    return srm_log_e(_summed(cells)) if cells else None


def _quality(tallies: Sequence[Tally], rules: Rules, *, bounds: bool) -> Figures:
    bets = rules.bets
    figures: Figures = {
        # A missing score stands at the centre and moves no bet: both readings give this evidence.
        "log_e": log_e(tallies, f=rules.centre, bets=bets),
        "harm_log_e": harm_log_e(tallies, f=rules.centre),
        "mistake_log_e": log_e(tallies, f=rules.centre, bets=bets, mirrored=True),
        "missing_log_e": rating_log_e(tallies, f=RATED),
        **dict.fromkeys(_ESTIMATES),
    }
    counted = tallies if rules.missing == "itt" else tuple(_rated(tally) for tally in tallies)
    try:
        found = estimate(counted, f=rules.centre)
    except UnmeasuredError:
        return figures
    low = lower_bound(counted, f=rules.centre, alpha=rules.alpha, bets=bets) if bounds else None
    values = (found.lift, found.se, found.candidate_mean, found.baseline_mean, low)
    return figures | dict(zip(_ESTIMATES, values, strict=True))


def is_imbalanced(figures: Figures) -> bool:
    """Whether one variant's units are scored more often than the other's."""
    missing, scored = figures["missing_log_e"], figures.get("scored_log_e")
    return (missing is not None and missing >= MISSING_LOG_E) or (
        scored is not None and scored >= SRM_LOG_E
    )


def _worst_case(tallies: Sequence[Tally], rules: Rules) -> float:
    """The evidence if every missing score spoke against the candidate."""
    return log_e([_worst(tally) for tally in tallies], f=rules.centre, bets=rules.bets)


def _trimmed(tallies: Sequence[Tally]) -> Figures:
    """What the lift could be among units that either variant gets rated."""
    try:
        bounds = lee_bounds(tallies)
    except UnmeasuredError:
        return {"lee_low": None, "lee_high": None}
    return {"lee_low": bounds.low, "lee_high": bounds.high}


def _worst(tally: Tally) -> Tally:
    """Every missing score against the candidate: its own are 0, the baseline's 1 (Manski 1990)."""
    candidate, baseline = tally.candidate.copy(), tally.baseline.copy()
    candidate[0] += tally.candidate_unrated
    baseline[-1] += tally.baseline_unrated
    return replace(_rated(tally), candidate=candidate, baseline=baseline)


def _rated(tally: Tally) -> Tally:
    """The units that have a score."""
    return replace(tally, candidate_unrated=0, baseline_unrated=0)


def _latency(sample: Sample, rules: Rules) -> Figures:
    figures: Figures = {
        "latency_margin": rules.latency_ratio,
        **dict.fromkeys(_LATENCIES),
    }
    try:
        shown = ratio_log_e(sample.latency, r0=rules.latency_ratio)
        ratio = ratio_interval(sample.latency, alpha=SHOWN_ALPHA)
    except UnmeasuredError:
        return figures
    return figures | {
        "latency_log_e": shown,
        "latency_ratio": ratio.estimate,
        "latency_log_se": log_ratio(sample.latency)[1],
        "latency_ratio_low": ratio.low,
        "latency_ratio_high": ratio.high,
    }


def _slowest(sample: Sample, rules: Rules) -> Figures:
    if rules.latency_p95 is None:
        return {}
    shown = None
    if sample.slow_s is not None:
        quick = _added(sample.quick)
        shown = log_e(quick, f=QUICK) if rules.paired_p95 else exceedance_log_e(sample.slow)
    return {"latency_p95_log_e": shown, "latency_p95_limit_s": sample.slow_s}


def _timeouts(sample: Sample, rules: Rules) -> Figures:
    if rules.timeout_margin is None:
        return {}
    tallies = _added(sample.no_timeout)
    shown = error_free_log_e(tallies, margin=rules.timeout_margin) if tallies else None
    return {"no_timeout_log_e": shown}


def _cost(sample: Sample, rules: Rules) -> Figures:
    margin = rules.cost_ratio
    if margin is None:
        return {}
    return {
        "cost_log_e": _measured(lambda: ratio_of_means_log_e(sample.cost, r0=margin)),
        "cost_ratio": _measured(
            lambda: ratio_of_means_interval(sample.cost, alpha=SHOWN_ALPHA).estimate
        ),
    }


def _metric(sample: Sample, rule: MetricRule) -> Figures:
    tallies = _added(sample.metrics.get(rule.name, ()))
    rated = any(tally.candidate.any() for tally in tallies)
    centre = sample.centres.get(rule.name)
    return {
        f"metrics.{rule.name}.log_e": log_e(tallies, f=centre, m=-rule.margin) if rated else None,
        f"metrics.{rule.name}.lift": _measured(lambda: estimate(tallies, f=centre).lift),
    }


def _segments(sample: Sample, rule: SegmentRule, f0: float) -> Figures:
    """Each segment's own evidence; those with too few units are unmeasured, or stand together."""
    figures: Figures = {}
    few: list[Tally] = []
    for name in rule.names:
        tallies = _added(sample.segments.get(name, ()))
        is_measured = _candidates(tallies) >= rule.min_units
        if not is_measured:
            few += tallies
        figures |= _segment(name, tallies, rule, f0, is_measured=is_measured)
    if rule.too_few == "pool":
        pooled = _added(few)
        enough = _candidates(pooled) >= rule.min_units
        figures |= _segment(POOLED, pooled, rule, f0, is_measured=enough)
    return figures


def _segment(
    name: str, tallies: Sequence[Tally], rule: SegmentRule, f0: float, *, is_measured: bool
) -> Figures:
    return {
        f"segments.{name}.units": _candidates(tallies),
        f"segments.{name}.lift": _measured(lambda: estimate(tallies, f=f0).lift),
        f"segments.{name}.log_e": log_e(tallies, f=f0, m=-rule.margin) if is_measured else None,
        f"segments.{name}.harm_log_e": harm_log_e(tallies, f=f0) if tallies else None,
    }


def _candidates(tallies: Sequence[Tally]) -> int:
    return sum(tally.candidate_units for tally in tallies)


def _measured(figure: Callable[[], float]) -> float | None:
    try:
        return figure()
    except UnmeasuredError:
        return None
