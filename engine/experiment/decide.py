"""From figures to a verdict: integrity, then safety, then evidence, then approval."""

from collections.abc import Iterator
from math import inf, log
from typing import NamedTuple

from scipy.special import ndtr

from engine.experiment.article import by_article
from engine.experiment.figures import POOLED, Figures, figures_of, is_imbalanced
from engine.experiment.rules import (
    BEST_CHANCE,
    ERROR_LOG_E,
    GUARDRAIL_LOG_E,
    HARM_LOG_E,
    MISSING_LOG_E,
    SPENT_UP,
    SRM_LOG_E,
    MetricRule,
    Rules,
    SegmentRule,
)
from engine.experiment.verdict import Cause, Verdict, verdict_of
from engine.stats.allocation import posterior

__all__ = [
    "ERROR_LOG_E",
    "GUARDRAIL_LOG_E",
    "HARM_LOG_E",
    "MISSING_LOG_E",
    "SRM_LOG_E",
    "Figures",
    "Rules",
    "chance_of_lift",
    "decide",
    "decide_step",
    "figures_of",
]

HOPELESS, LAST_HOPE = 0.1, 0.01
"""Chances of a lift worth waiting for below which a window is given up: while further candidates
wait for its place, and when none does. A window is looked at often, so the first gives up one in
five that are worth it; it pays where the next may be better."""
TOO_SLOW = 0.1
"""The same of keeping the latency margin, which is known sooner."""


HALFWAY = 0.5
"""Part of the evidence with which a window goes on beyond its units: what it has gathered would be
lost, and a candidate of no effect is hardly ever there."""


class Guardrail(NamedTuple):
    """One loss that has to be proved absent before a promotion."""

    figure: str
    """The evidence against the loss."""
    cause: Cause
    what: str


def decide(figures: Figures, rules: Rules) -> Verdict:
    """The verdict on a trial's window.

    Protective verdicts never wait for a sample size; promotion always does.
    """
    if rules.policy == "article":
        return _integrity(figures) or _safety(figures, rules) or by_article(figures, rules)
    if rules.policy == "bandit":
        reason = "a bandit goes on sharing the traffic by what is known"
        kept = verdict_of("continue", "undecided", reason, figures)
        return _integrity(figures) or _safety(figures, rules) or kept
    return (
        _integrity(figures)
        or _safety(figures, rules)
        or _early(figures, rules)
        or _approved(figures, rules)
        or _exhausted(figures, rules)
        or verdict_of("continue", "undecided", "the evidence decides nothing yet", figures)
    )


def decide_step(
    figures: Figures, step: Figures, min_units: int, max_units: int, rules: Rules | None = None
) -> Verdict:
    """The verdict on one step of a ramp; `step` holds the figures of that step's traffic alone.

    A candidate that was quick on an idle replica may be slow under load, so latency is proved
    anew at every step.
    """
    unsafe = _integrity(figures) or _safety(figures, rules) or _safety(step, rules)
    if unsafe is not None:
        return unsafe.model_copy(update={"action": "rollback"})
    units, log_latency = step["candidate_units"], step["latency_log_e"]
    if units is None or units < min_units:
        return verdict_of("continue", "too_early", f"{units} of {min_units} units", step)
    if log_latency is not None and log_latency >= GUARDRAIL_LOG_E:
        reason = f"no harm and latency within its margin over {units} units at this share"
        # What the promotion spends of the margin is known best from all that the pair has shown.
        bound = {name: figures[name] for name in ("latency_ratio_high",) if name in figures}
        return verdict_of("promote", "evidence", reason, step | bound)
    if units >= max_units:
        reason = f"latency within its margin is not proved after {units} units at this share"
        return verdict_of("rollback", "latency", reason, step)
    return verdict_of("continue", "undecided", "latency at this share is not proved yet", step)


def _integrity(figures: Figures) -> Verdict | None:
    for name, what in (
        ("srm_log_e", "the units do not follow the split"),
        ("completed_log_e", "the units that left a trace do not follow the split"),
    ):
        if _reaches(figures.get(name), SRM_LOG_E):
            reason = f"sample-ratio mismatch: {what}, log e {figures[name]:.2f}"
            return verdict_of("stop", "srm", reason, figures)
    return None


def _safety(figures: Figures, rules: Rules | None) -> Verdict | None:
    harm, errors = figures["harm_log_e"], figures["error_log_e"]
    if harm is not None and harm >= HARM_LOG_E:
        reason = f"worse than the baseline by more than a point: log e {harm:.2f}"
        return verdict_of("stop", "harm", reason, figures)
    if errors is not None and errors >= ERROR_LOG_E:
        reason = f"fails more often than the baseline: log e {errors:.2f}"
        return verdict_of("stop", "errors", reason, figures)
    if rules is None:
        return None
    low = figures.get("latency_ratio_low")
    if _reaches(low, rules.latency_ratio):
        reason = f"slower than the margin of {rules.latency_ratio:.2f}: at least {low:.2f} times"
        return verdict_of("stop", "latency", reason, figures)
    return None if rules.segments is None else _segment_harm(figures, rules.segments.names)


def _segment_harm(figures: Figures, names: tuple[str, ...]) -> Verdict | None:
    """One look at each of K segments: the line is K times as high, so that the risk is the same."""
    for name in names:
        harm = figures.get(f"segments.{name}.harm_log_e")
        if harm is not None and harm >= HARM_LOG_E + log(len(names)):
            reason = f"worse by more than a point in the segment {name}: log e {harm:.2f}"
            return verdict_of("stop", "segment", reason, figures)
    return None


def _early(figures: Figures, rules: Rules) -> Verdict | None:
    units, elapsed = figures["candidate_units"] or 0, figures["elapsed_s"] or 0.0
    if units < rules.min_units:
        reason = f"{units} of {rules.min_units} matured candidate units"
        return verdict_of("continue", "too_early", reason, figures)
    if elapsed < rules.min_cycle_s:
        reason = f"{elapsed:.0f} of {rules.min_cycle_s:.0f} s of the cycle"
        return verdict_of("continue", "too_early", reason, figures)
    return None


def _approved(figures: Figures, rules: Rules) -> Verdict | None:
    lift, proof = figures["lift"], _proof(figures, rules)
    if proof is None or lift is None:
        return None
    held = _held(figures, rules)
    if held is not None:
        return _exhausted(figures, rules) or held
    if rules.needs_approval:
        return verdict_of("hold", "approval", "proved better; a person has to approve it", figures)
    low = figures["lift_low"]
    least = "" if low is None else f" (at least {low:+.3f})"
    reason = f"better by {lift:+.3f}{least}, {proof} needed, every guardrail proved"
    return verdict_of("promote", "evidence", reason, figures)


def _proof(figures: Figures, rules: Rules) -> str | None:
    """What proves that it is better, beside what is needed; None while nothing does."""
    if rules.policy == "group-sequential":
        if not _reaches(figures.get("look_margin"), 0.0):
            return None
        return f"z {figures['look_z']:.2f} of {figures['look_bound']:.2f}"
    evidence, bar = figures["log_e"], log(1 / rules.alpha)
    return f"log e {evidence:.2f} of {bar:.2f}" if _reaches(evidence, bar) else None


def _held(figures: Figures, rules: Rules) -> Verdict | None:
    """Why a proved gain is not enough yet."""
    if is_imbalanced(figures) and not _stands_the_worst(figures, rules):
        reason = "one variant's units are rated more often than the other's"
        return verdict_of("hold", "missingness", reason, figures)
    if not _stands_unlabelled(figures, rules):
        reason = "better, but not if every audited answer without a label spoke against it"
        return verdict_of("hold", "labels", reason, figures)
    left = min(rules.latency_ratio, rules.latency_p95 or rules.latency_ratio)
    if left < SPENT_UP:
        reason = (
            "better, but earlier promotions since the anchor have used up the latency margin: "
            f"{left:.3f} is left; only a person can set a new anchor"
        )
        return verdict_of("hold", "latency", reason, figures)
    for guardrail in _guardrails(figures, rules):
        if not _reaches(figures.get(guardrail.figure), GUARDRAIL_LOG_E):
            reason = f"better, but the guardrail on {guardrail.what} is not proved yet"
            return verdict_of("hold", guardrail.cause, reason, figures)
    return _rivalled(figures, rules) if rules.best else None


def _rivalled(figures: Figures, rules: Rules) -> Verdict | None:
    """Another open candidate may be better still; at the window's end the proof is enough."""
    chance = figures.get("chance_of_best")
    if _reaches(chance, BEST_CHANCE) or (figures["candidate_units"] or 0) >= rules.max_units:
        return None
    known = "not measured" if chance is None else f"{chance:.2f}"
    reason = f"better, but the chance that it is the best of the open candidates is {known}"
    return verdict_of("hold", "rivals", reason, figures)


def _stands_the_worst(figures: Figures, rules: Rules) -> bool:
    """Whether it is better even if every missing score spoke against it."""
    worst = figures.get("worst_case_log_e")
    return rules.missing == "itt" and _reaches(worst, log(1 / rules.alpha))


def _stands_unlabelled(figures: Figures, rules: Rules) -> bool:
    """The same of missing labels: where they lack, however evenly, nothing corrects a judge."""
    return _reaches(figures.get("unlabelled_log_e", inf), log(1 / rules.alpha))


def _guardrails(figures: Figures, rules: Rules) -> Iterator[Guardrail]:
    """Every declared guardrail that may block by now."""
    yield Guardrail("no_error_log_e", "errors", "errors")
    yield Guardrail("latency_log_e", "latency", "latency")
    if rules.latency_p95 is not None:
        yield Guardrail("latency_p95_log_e", "latency", "the slowest twentieth of requests")
    if rules.timeout_margin is not None:
        yield Guardrail("no_timeout_log_e", "timeouts", "timeouts")
    if rules.cost_ratio is not None:
        yield Guardrail("cost_log_e", "cost", "cost")
    for metric in rules.metrics:
        if _may_block(metric, figures):
            yield Guardrail(f"metrics.{metric.name}.log_e", "metric", metric.name)
    if rules.segments is not None:
        yield from _segment_guardrails(figures, rules.segments)


def _may_block(metric: MetricRule, figures: Figures) -> bool:
    return metric.blocks and (figures["candidate_units"] or 0) >= metric.observe_units


def _segment_guardrails(figures: Figures, rule: SegmentRule) -> Iterator[Guardrail]:
    """Each segment; where those with too few units are pooled, their pool instead of them."""
    small = [name for name in rule.names if figures.get(f"segments.{name}.log_e") is None]
    pools = rule.too_few == "pool"
    names = [name for name in rule.names if not (pools and name in small)]
    for name in (*names, *([POOLED] if pools and small else [])):
        yield Guardrail(f"segments.{name}.log_e", "segment", f"the segment {name}")


def _reaches(log_e: float | None, line: float) -> bool:
    """Whether the evidence is in; what is unmeasured never is."""
    return log_e is not None and log_e >= line


def _exhausted(figures: Figures, rules: Rules) -> Verdict | None:
    units = figures["candidate_units"] or 0
    hope = chance_of_lift(figures, rules.worth)
    if hope is not None and hope < (HOPELESS if rules.more else LAST_HOPE):
        reason = f"a lift of {rules.worth:.3f} has a chance of {hope:.2f} only"
        return verdict_of("stop", "futility", reason, figures)
    quick = chance_of_latency(figures, rules.latency_ratio)
    if quick is not None and quick < TOO_SLOW:
        reason = f"latency within its margin has a chance of {quick:.2f} only"
        return verdict_of("stop", "latency", reason, figures)
    if units >= rules.max_units and not _is_halfway(figures, rules):
        return verdict_of("stop", "budget", f"undecided after {units} candidate units", figures)
    return None


def _is_halfway(figures: Figures, rules: Rules) -> bool:
    """Whether only the rest of the evidence is missing; looks planned in advance can't be more."""
    evidence, bar = figures["log_e"], log(1 / rules.alpha)
    if evidence is None or rules.policy == "group-sequential":
        return False
    return HALFWAY * bar <= evidence < bar


def chance_of_latency(figures: Figures, ratio: float) -> float | None:
    """The chance that the candidate is at most this much slower, from its ratio and the error."""
    measured, se = figures.get("latency_ratio"), figures.get("latency_log_se")
    if measured is None or se is None:
        return None
    return float(ndtr((log(ratio) - log(measured)) / se))


def chance_of_lift(figures: Figures, lift: float) -> float | None:
    """The posterior chance of at least this lift, from a normal prior on a random candidate."""
    measured, se = figures["lift"], figures["se"]
    if measured is None or se is None or se == 0.0:
        return None
    return posterior(measured, se).chance_above(lift)
