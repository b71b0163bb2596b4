"""What one decision says, seen from the state that it was taken in."""

from dataclasses import dataclass, field, replace
from math import log

from engine.config.experiment import Experiment
from engine.config.paths import Setting
from engine.experiment.entries import (
    CandidateAdded,
    Decision,
    ExperimentEnded,
    ExperimentStarted,
    HoldbackClosed,
    HoldbackNarrowed,
    Installed,
    Nominated,
    Promoted,
    RampStepped,
    Reallocated,
    RolledBack,
    WindowClosed,
    WindowOpened,
)
from engine.experiment.state import State
from engine.experiment.variant import differences
from engine.experiment.verdict import Verdict
from engine.experiment.window import Window
from search.words import margin, odds, percent, share, step_in_words, verdict_in_words

Changes = dict[str, tuple[Setting | None, Setting | None]]
RISKS = {
    "experiment": "The chance that any promotion is a mistake",
    "fdr": "The expected share of mistakes among all promotions",
}


@dataclass(frozen=True)
class Told:
    """A decision in words, and what it concerns."""

    text: str
    experiment: str = ""
    windows: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    changes: Changes = field(default_factory=dict)
    verdict: Verdict | None = None
    reason: str = ""
    """The recorded reason where there is no verdict to carry it."""


def tell(state: State, decision: Decision) -> Told:  # noqa: C901, PLR0912 - one case a kind
    """Put a decision into words; the state is the one before it."""
    match decision:
        case Installed():
            baseline = decision.baseline.hash
            text = f"{decision.workflow} is served with {baseline} as its baseline."
            return Told(text, variants=(baseline,))
        case ExperimentStarted():
            return Told(_plan(decision), decision.experiment, reason=_first(decision))
        case ExperimentEnded():
            return _ended(decision)
        case CandidateAdded():
            return _added(state, decision)
        case WindowOpened():
            return _opened(state, decision)
        case Reallocated():
            return _reallocated(state, decision)
        case WindowClosed():
            return _closed(state, decision)
        case Nominated():
            return _nominated(state, decision)
        case RampStepped():
            return _stepped(state, decision)
        case Promoted():
            return _promoted(state, decision)
        case RolledBack():
            return _rolled_back(state, decision)
        case HoldbackNarrowed():
            return _holdback_narrowed(state, decision)
        case HoldbackClosed():
            return _holdback_closed(state, decision)


def _plan(decision: ExperimentStarted) -> str:
    experiment = Experiment.model_validate(decision.config)
    rails = experiment.guardrails
    if experiment.policy == "bandit":
        return (
            f"The bandit {decision.experiment} began on {decision.workflow}. Each candidate gets "
            f"the traffic it seems best for, up to {percent(experiment.windows.most)} together; "
            "nothing is promoted, and what does harm is stopped."
        )
    if experiment.policy == "article":
        return (
            f"The experiment {decision.experiment} began on {decision.workflow}. A candidate is "
            f"promoted by the original article's rule: two points ahead and at most 1.2 times the "
            f"latency after {experiment.windows.max_units} units. Nothing is proved by it."
        )
    return (
        f"The experiment {decision.experiment} began on {decision.workflow}. A candidate is "
        f"promoted when its ratings are proved better (an improvement of "
        f"{margin(experiment.objective.mde)} is worth finding), its latency stays below "
        f"{rails.latency_ratio:g} times the baseline's and its error rate within "
        f"{margin(rails.error_margin)}. {RISKS[experiment.alpha_mode]} is at most "
        f"{percent(experiment.alpha, digits=2)}.{_looks(experiment)}"
    )


def _looks(experiment: Experiment) -> str:
    if experiment.policy != "group-sequential":
        return ""
    windows = experiment.windows
    return f" A window is looked at {windows.looks} times, up to {windows.max_units} units."


def _first(decision: ExperimentStarted) -> str:
    if not decision.focus:
        return ""
    return f"It tries {', '.join(decision.focus)} first, because {decision.reason}."


def _ended(decision: ExperimentEnded) -> Told:
    what = f"promoted {decision.promoted}" if decision.promoted else "promoted nothing"
    text = f"The experiment {decision.experiment} ended and {what}."
    variants = (decision.promoted,) if decision.promoted else ()
    return Told(text, decision.experiment, variants=variants, reason=decision.reason)


def _added(state: State, decision: CandidateAdded) -> Told:
    workflow = state.workflow(decision.workflow)
    before = workflow.variants[workflow.baseline].settings
    return Told(
        "A person asked for another candidate to be tried.",
        decision.experiment,
        changes={path: (before.get(path), value) for path, value in decision.changes.items()},
        reason=decision.reason,
    )


def _opened(state: State, decision: WindowOpened) -> Told:
    workflow = state.workflow(decision.workflow)
    candidate = decision.candidate
    again = " It goes on with the evidence of earlier windows." if decision.continues else ""
    text = (
        f"{candidate.hash} gets {share(decision.share)} of the traffic to be compared with the "
        f"baseline {decision.baseline}. Its evidence must reach {odds(log(1.0 / decision.alpha))}, "
        f"so that promoting it by mistake has a chance of at most "
        f"{percent(decision.alpha, digits=2)}.{again}"
    )
    return Told(
        text,
        decision.experiment,
        windows=(decision.window, *decision.continues),
        variants=(candidate.hash,),
        changes=differences(workflow.variants[decision.baseline], candidate),
    )


def _reallocated(state: State, decision: Reallocated) -> Told:
    windows = [state.window(id_) for id_ in decision.shares]
    moved = ", ".join(
        f"{one.candidate} {share(decision.shares[one.id])} instead of {share(one.share)}"
        for one in windows
    )
    return Told(
        f"The traffic for trying candidates was shared anew: {moved}. What is known of them stays.",
        decision.experiment,
        windows=tuple(decision.shares),
        variants=tuple(one.candidate for one in windows),
        reason=decision.reason,
    )


def _closed(state: State, decision: WindowClosed) -> Told:
    window = state.window(decision.window)
    what = {"ramp": "was taken off its ramp", "trial": "gets no more traffic"}
    text = (
        f"{window.candidate} {what.get(window.kind, 'is done')}. "
        f"{verdict_in_words(decision.verdict, alpha=window.alpha)}"
    )
    return replace(_about(state, window), text=text, verdict=decision.verdict)


def _nominated(state: State, decision: Nominated) -> Told:
    workflow = state.workflow(decision.workflow)
    others = [one.id for one in workflow.open_windows if one.id not in decision.continues]
    closed = f" Other open windows are closed: {', '.join(others)}." if others else ""
    return Told(
        f"{decision.candidate} is nominated and gets {share(decision.share)} of the traffic. "
        f"{verdict_in_words(decision.verdict, alpha=decision.alpha)}{closed}",
        decision.experiment,
        windows=(decision.window, *decision.continues, *others),
        variants=(decision.candidate,),
        changes=differences(
            workflow.variants[decision.baseline], workflow.variants[decision.candidate]
        ),
        verdict=decision.verdict,
    )


def _stepped(state: State, decision: RampStepped) -> Told:
    window = state.window(decision.window)
    text = (
        f"{window.candidate} gets {share(decision.share)} of the traffic instead of "
        f"{share(window.share)}. {step_in_words(decision.verdict)}"
    )
    return replace(_about(state, window), text=text, verdict=decision.verdict)


def _promoted(state: State, decision: Promoted) -> Told:
    workflow = state.workflow(decision.workflow)
    kept = f" {decision.before} keeps {share(decision.holdback)}." if decision.holdback else ""
    why = step_in_words(decision.verdict) if decision.verdict else "A person decided it."
    return Told(
        f"{decision.after} is the baseline of {decision.workflow} now.{kept} {why}",
        experiment=decision.experiment or "",
        windows=() if decision.window is None else (decision.window,),
        variants=(decision.after, decision.before),
        changes=differences(workflow.variants[decision.before], workflow.variants[decision.after]),
        verdict=decision.verdict,
        reason=decision.reason,
    )


def _rolled_back(state: State, decision: RolledBack) -> Told:
    workflow = state.workflow(decision.workflow)
    holdback = workflow.holdback
    why = verdict_in_words(decision.verdict) if decision.verdict else "A person decided it."
    return Told(
        f"{decision.after} is the baseline of {decision.workflow} again, instead of "
        f"{decision.before}. {why}",
        experiment=holdback.experiment if holdback else "",
        windows=(holdback.id,) if holdback else (),
        variants=(decision.after, decision.before),
        changes=differences(workflow.variants[decision.before], workflow.variants[decision.after]),
        verdict=decision.verdict,
        reason=decision.reason,
    )


def _holdback_narrowed(state: State, decision: HoldbackNarrowed) -> Told:
    window = state.window(decision.window)
    text = (
        f"{window.candidate}, the former baseline, keeps {share(decision.share)} of the traffic "
        f"instead of {share(window.share)}, because the promotion stands."
    )
    told = replace(_about(state, window), text=text, verdict=decision.verdict)
    return replace(told, reason=decision.reason)


def _holdback_closed(state: State, decision: HoldbackClosed) -> Told:
    holdback = state.workflow(decision.workflow).holdback
    text = f"The former baseline of {decision.workflow} gets no more traffic."
    told = Told(text) if holdback is None else replace(_about(state, holdback), text=text)
    return replace(told, verdict=decision.verdict, reason=decision.reason)


def _about(state: State, window: Window) -> Told:
    variants = state.workflow(window.workflow).variants
    return Told(
        "",
        window.experiment,
        windows=(window.id, *window.continues),
        variants=(window.candidate,),
        changes=differences(variants[window.baseline], variants[window.candidate]),
    )
