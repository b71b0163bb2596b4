"""Figures and verdicts in words that a manager understands; nothing unmeasured becomes a number."""

from math import exp, log

from engine.config.paths import Setting
from engine.experiment.decide import (
    ERROR_LOG_E,
    GUARDRAIL_LOG_E,
    HARM_LOG_E,
    MISSING_LOG_E,
    SRM_LOG_E,
    Figures,
)
from engine.experiment.rules import REGRESSION_LOG_E
from engine.experiment.split import BUCKETS
from engine.experiment.verdict import Verdict

UNMEASURED = "not measured"
_MOST = 1_000_000

_FALLEN = {
    "ended": "It was closed because its trial ended and nobody renewed its lease.",
    "not_seated": "It was closed because it could not be made ready to answer.",
    "operator": "A person closed it.",
    "superseded": "It was closed because another candidate was proved better first; its own case "
    "stays undecided.",
    "undecided": "The evidence decides nothing yet.",
    "too_early": "There is too little traffic yet for any promotion.",
    "approval": "It is proved better; a person has to approve the change.",
}


def verdict_in_words(verdict: Verdict, *, alpha: float | None = None) -> str:
    """What a verdict says and the figures it rests on; `alpha` is the candidate's level."""
    figures = verdict.figures
    match verdict.cause:
        case "evidence" if verdict.action == "promote":
            said = _better(figures, alpha)
        case "harm":
            said = _worse(figures)
        case "errors":
            said = _errors(verdict)
        case "regression":
            said = _regressed(figures)
        case "latency":
            said = _latency(verdict)
        case _:
            said = _FALLEN.get(verdict.cause) or _stopped(verdict)
    return said


def compared(figures: Figures) -> str:
    """What users got from both sides."""
    if figures.get("lift") is None:
        return f"How it compares with the baseline was {UNMEASURED}."
    return (
        f"Its users got {percent(figures.get('candidate_mean'))} on average, the baseline's at the "
        f"same time {percent(figures.get('baseline_mean'))}: a difference of "
        f"{points(figures.get('lift'))} over {count(figures.get('candidate_units'))} and "
        f"{count(figures.get('baseline_units'))} units."
    )


def odds(log_e: float | None) -> str:
    """Evidence as a bet's odds: coins made of one coin, at fair odds if there were no effect."""
    if log_e is None:
        return f"evidence {UNMEASURED}"
    if log_e > log(_MOST):
        return f"over {_MOST:,} : 1"
    coins = exp(log_e)
    return f"{coins:,.0f} : 1" if coins >= 10.0 else f"{coins:.2g} : 1"


def percent(part: float | None, *, digits: int = 1) -> str:
    """A share or a mean rating, of which 1 is the most."""
    return UNMEASURED if part is None else f"{part * 100:.{digits}f} %"


def points(difference: float | None) -> str:
    """A difference of two ratings or shares, in hundredths."""
    return UNMEASURED if difference is None else f"{difference * 100:+.1f} points"


def margin(difference: float) -> str:
    """A difference that is allowed or looked for."""
    return f"{difference * 100:.1f} points"


def share(buckets: int) -> str:
    """A part of the traffic."""
    return f"{buckets * 100 / BUCKETS:g} %"


def count(units: float | None) -> str:
    """A number of units."""
    return UNMEASURED if units is None else f"{units:,.0f}"


def setting(value: Setting | None) -> str:
    """A setting as an operator would write it."""
    match value:
        case None:
            return "absent"
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.6g}"
        case list() | tuple():
            return ", ".join(value) or "none"
        case _:
            return str(value)


def step_in_words(verdict: Verdict) -> str:
    """What one step of a ramp showed, on its own traffic."""
    figures = verdict.figures
    return (
        f"Over {count(figures.get('candidate_units'))} units at this share it did no harm, and its "
        f"latency was {times(figures.get('latency_ratio'))} the baseline's "
        f"({odds(figures.get('latency_log_e'))} that it keeps its margin)."
    )


def times(ratio: float | None) -> str:
    """A ratio to the baseline."""
    return "an unmeasured multiple of" if ratio is None else f"{ratio:.2f} times"


def _stopped(verdict: Verdict) -> str:
    figures = verdict.figures
    match verdict.cause:
        case "srm":
            return (
                "The numbers of units do not follow the split "
                f"({odds(figures.get('srm_log_e'))}; {odds(SRM_LOG_E)} stops), so something is "
                "wrong with assigning or recording and no comparison can be trusted."
            )
        case "missingness":
            return (
                "One variant's answers are rated more often than the other's "
                f"({odds(figures.get('missing_log_e'))}; {odds(MISSING_LOG_E)} holds), so the "
                f"ratings can't be compared.{_trimmed(figures)}"
            )
        case "rivals":
            return (
                "It is proved better, but another open candidate may be better still: the chance "
                f"that this one is the best is {percent(figures.get('chance_of_best'))}."
            )
        case "rule":
            return (
                f"The original article's rule decided, which proves nothing. {compared(figures)} "
                f"Its latency is {times(figures.get('latency_ratio'))} the baseline's."
            )
        case "futility":
            return f"A lift worth having became unlikely. {compared(figures)}"
        case "budget":
            return f"It used up its share of traffic undecided. {compared(figures)}"
        case _:
            return f"{verdict.reason[0].upper()}{verdict.reason[1:]}."


def _trimmed(figures: Figures) -> str:
    low, high = figures.get("lee_low"), figures.get("lee_high")
    if low is None or high is None:
        return ""
    return (
        f" Among units that either variant gets rated the difference lies between {points(low)} "
        f"and {points(high)}, as far as missing ratings go."
    )


def _better(figures: Figures, alpha: float | None) -> str:
    needed = "" if not alpha else f"; {odds(log(1.0 / alpha))} was needed"
    least = figures.get("lift_low")
    bound = "" if least is None or least <= -1.0 else f" It is better by at least {points(least)}."
    if (z := figures.get("look_z")) is not None:
        proof = (
            f"At look {figures.get('looks')} its lift was {z:.2f} standard errors; "
            f"{figures.get('look_bound') or 0.0:.2f} were needed."
        )
    else:
        proof = f"The evidence is {odds(figures.get('log_e'))}{needed}."
    return f"It is proved better. {compared(figures)}{bound} {proof}"


def _worse(figures: Figures) -> str:
    if "regression_log_e" in figures:
        return (
            f"Its promotion was a mistake. {compared(figures)} The evidence that it is worse than "
            f"the former baseline is {odds(figures.get('mistake_log_e'))}; {odds(HARM_LOG_E)} is "
            "enough."
        )
    return (
        f"It did harm. {compared(figures)} The evidence that it is worse by more than a point is "
        f"{odds(figures.get('harm_log_e'))}; {odds(HARM_LOG_E)} stops."
    )


def _regressed(figures: Figures) -> str:
    rated = figures.get("regression_log_e") or 0.0
    failing = figures.get("error_regression_log_e") or 0.0
    what = "became worse" if rated >= REGRESSION_LOG_E else "began to fail more often"
    return (
        f"It {what} after its promotion. {compared(figures)} The evidence is "
        f"{odds(max(rated, failing))}; {odds(REGRESSION_LOG_E)} returns to the variant before it."
    )


def _errors(verdict: Verdict) -> str:
    figures = verdict.figures
    if verdict.action == "hold":
        return (
            "It looks better, but that it fails no more often than allowed is not proved yet: "
            f"{odds(figures.get('no_error_log_e'))} of {odds(GUARDRAIL_LOG_E)}."
        )
    return (
        "It fails more often than the baseline: the evidence is "
        f"{odds(figures.get('error_log_e'))}; {odds(ERROR_LOG_E)} stops."
    )


def _latency(verdict: Verdict) -> str:
    figures = verdict.figures
    took = times(figures.get("latency_ratio"))
    proof = f"{odds(figures.get('latency_log_e'))} of {odds(GUARDRAIL_LOG_E)}"
    what = "is not proved yet" if verdict.action == "hold" else "was not proved in time"
    return (
        f"That it is quick enough {what}: its latency is {took} the baseline's, the evidence "
        f"{proof}."
    )
