"""From a sample to a verdict: integrity, then safety, then evidence, then approval."""

from math import log, sqrt

from pydantic import BaseModel, ConfigDict
from scipy.special import ndtr

from engine.errors import UnmeasuredError
from engine.experiment.verdict import Verdict
from engine.stats.betting import (
    bets_for,
    error_free_log_e,
    estimate,
    harm_log_e,
    log_e,
    lower_bound,
)
from engine.stats.errors import error_log_e
from engine.stats.mismatch import srm_log_e
from engine.stats.rating import rating_log_e
from engine.stats.ratio import ratio_interval, ratio_log_e
from engine.stats.sample import Sample

Figures = dict[str, float | int | None]

SRM_LOG_E = log(1000)
MISSING_LOG_E = log(1 / 0.01)
HARM_LOG_E = log(20)
ERROR_LOG_E = log(100)
GUARDRAIL_LOG_E = log(20)
RATED = 0.8
"""Expected share of rated units; a wrong guess costs power, never validity."""
PRIOR_LIFT = -0.01
PRIOR_SD = 0.03


class Rules(BaseModel):
    """What an experiment asks of a candidate before it may be promoted."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    alpha: float
    """Level of this candidate's promotion test."""
    f0: float
    mde: float
    latency_ratio: float
    error_margin: float
    min_units: int
    max_units: int
    min_cycle_s: float
    needs_approval: bool


def figures_of(sample: Sample, rules: Rules) -> Figures:
    """Every figure that a verdict may rest on; None where it can't be measured yet."""
    figures: Figures = {
        "candidate_units": sample.candidate_units,
        "baseline_units": sample.baseline_units,
        "elapsed_s": sample.elapsed_s,
        "srm_log_e": srm_log_e(sample.exposed),
        "error_log_e": error_log_e(sample.errors),
    }
    figures |= _quality(sample, rules)
    figures["no_error_log_e"] = _no_error(sample, rules)
    figures |= _latency(sample, rules)
    return figures


def decide(figures: Figures, rules: Rules) -> Verdict:
    """The verdict on a trial's window.

    Protective verdicts never wait for a sample size; promotion always does.
    """
    return (
        _integrity(figures)
        or _safety(figures)
        or _early(figures, rules)
        or _approved(figures, rules)
        or _exhausted(figures, rules)
        or _verdict("continue", "undecided", "the evidence decides nothing yet", figures)
    )


def decide_step(figures: Figures, step: Figures, min_units: int, max_units: int) -> Verdict:
    """The verdict on one step of a ramp; `step` holds the figures of that step's traffic alone.

    A candidate that was quick on an idle replica may be slow under load, so latency is proved
    anew at every step.
    """
    unsafe = _integrity(figures) or _safety(figures) or _safety(step)
    if unsafe is not None:
        return unsafe.model_copy(update={"action": "rollback"})
    units, log_latency = step["candidate_units"], step["latency_log_e"]
    if units is None or units < min_units:
        return _verdict("continue", "too_early", f"{units} of {min_units} units", step)
    if log_latency is not None and log_latency >= GUARDRAIL_LOG_E:
        reason = f"no harm and latency within its margin over {units} units at this share"
        return _verdict("promote", "evidence", reason, step)
    if units >= max_units:
        reason = f"latency within its margin is not proved after {units} units at this share"
        return _verdict("rollback", "latency", reason, step)
    return _verdict("continue", "undecided", "latency at this share is not proved yet", step)


def decide_holdback(figures: Figures) -> Verdict:
    """The verdict on a promotion, from the former baseline's concurrent traffic."""
    worse = figures["harm_log_e"]
    if worse is not None and worse >= HARM_LOG_E:
        reason = f"the promoted variant is worse than the one before: log e {worse:.2f}"
        return _verdict("rollback", "harm", reason, figures)
    errors = figures["error_log_e"]
    if errors is not None and errors >= ERROR_LOG_E:
        reason = f"the promoted variant fails more than the one before: log e {errors:.2f}"
        return _verdict("rollback", "errors", reason, figures)
    return _verdict("continue", "undecided", "the promotion stands", figures)


def _quality(sample: Sample, rules: Rules) -> Figures:
    names = ("lift", "se", "candidate_mean", "baseline_mean", "lift_low")
    figures: Figures = {
        "log_e": log_e(sample.quality, f=rules.f0, bets=bets_for(rules.mde)),
        "harm_log_e": harm_log_e(sample.quality, f=rules.f0),
        "missing_log_e": rating_log_e(sample.quality, f=RATED),
        **dict.fromkeys(names),
    }
    try:
        estimated = estimate(sample.quality, f=rules.f0)
    except UnmeasuredError:
        return figures
    low = lower_bound(sample.quality, f=rules.f0, alpha=rules.alpha, bets=bets_for(rules.mde))
    values = (
        estimated.lift,
        estimated.se,
        estimated.candidate_mean,
        estimated.baseline_mean,
        low,
    )
    return figures | dict(zip(names, values, strict=True))


def _no_error(sample: Sample, rules: Rules) -> float:
    return error_free_log_e(sample.no_error, margin=rules.error_margin)


def _latency(sample: Sample, rules: Rules) -> Figures:
    try:
        shown = ratio_log_e(sample.latency, r0=rules.latency_ratio)
        ratio = ratio_interval(sample.latency, alpha=0.05).estimate
    except UnmeasuredError:
        return {"latency_log_e": None, "latency_ratio": None}
    return {"latency_log_e": shown, "latency_ratio": ratio}


def _integrity(figures: Figures) -> Verdict | None:
    mismatch = figures["srm_log_e"]
    if mismatch is not None and mismatch >= SRM_LOG_E:
        reason = f"sample-ratio mismatch: the units do not follow the split, log e {mismatch:.2f}"
        return _verdict("stop", "srm", reason, figures)
    return None


def _safety(figures: Figures) -> Verdict | None:
    harm, errors = figures["harm_log_e"], figures["error_log_e"]
    if harm is not None and harm >= HARM_LOG_E:
        reason = f"worse than the baseline by more than a point: log e {harm:.2f}"
        return _verdict("stop", "harm", reason, figures)
    if errors is not None and errors >= ERROR_LOG_E:
        reason = f"fails more often than the baseline: log e {errors:.2f}"
        return _verdict("stop", "errors", reason, figures)
    return None


def _early(figures: Figures, rules: Rules) -> Verdict | None:
    units, elapsed = figures["candidate_units"] or 0, figures["elapsed_s"] or 0.0
    if units < rules.min_units:
        reason = f"{units} of {rules.min_units} matured candidate units"
        return _verdict("continue", "too_early", reason, figures)
    if elapsed < rules.min_cycle_s:
        reason = f"{elapsed:.0f} of {rules.min_cycle_s:.0f} s of the cycle"
        return _verdict("continue", "too_early", reason, figures)
    return None


def _approved(figures: Figures, rules: Rules) -> Verdict | None:
    evidence, lift, low = figures["log_e"], figures["lift"], figures["lift_low"]
    if evidence is None or evidence < log(1 / rules.alpha) or lift is None or low is None:
        return None
    missing = figures["missing_log_e"]
    if missing is not None and missing >= MISSING_LOG_E:
        reason = "one variant's units are rated more often than the other's"
        return _exhausted(figures, rules) or _verdict("hold", "missingness", reason, figures)
    for name, cause in (("no_error_log_e", "errors"), ("latency_log_e", "latency")):
        shown = figures[name]
        if shown is None or shown < GUARDRAIL_LOG_E:
            return _exhausted(figures, rules) or _verdict(
                "hold", cause, f"better, but the guardrail on {cause} is not proved yet", figures
            )
    if rules.needs_approval:
        return _verdict("hold", "approval", "proved better; a person has to approve it", figures)
    reason = (
        f"better by {lift:+.3f} (at least {low:+.3f}), log e "
        f"{evidence:.2f} of {log(1 / rules.alpha):.2f} needed, every guardrail proved"
    )
    return _verdict("promote", "evidence", reason, figures)


def _exhausted(figures: Figures, rules: Rules) -> Verdict | None:
    units = figures["candidate_units"] or 0
    hope = chance_of_lift(figures, rules.mde / 2)
    if hope is not None and hope < 0.10:
        reason = f"a lift of {rules.mde / 2:.3f} has a chance of {hope:.2f} only"
        return _verdict("stop", "futility", reason, figures)
    if units >= rules.max_units:
        return _verdict("stop", "budget", f"undecided after {units} candidate units", figures)
    return None


def chance_of_lift(figures: Figures, lift: float) -> float | None:
    """The posterior chance of at least this lift, from a normal prior on a random candidate."""
    measured, se = figures["lift"], figures["se"]
    if measured is None or se is None or se == 0.0:
        return None
    weight = PRIOR_SD**2 / (PRIOR_SD**2 + se**2)
    mean = PRIOR_LIFT + weight * (measured - PRIOR_LIFT)
    return float(ndtr((mean - lift) / (se * sqrt(weight))))


def _verdict(action: str, cause: str, reason: str, figures: Figures) -> Verdict:
    return Verdict.model_validate(
        {"action": action, "cause": cause, "reason": reason, "figures": figures}
    )
