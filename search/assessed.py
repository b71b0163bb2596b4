"""Verdicts from the two books: what a trial, the selector and a verifier compute alike."""

from collections.abc import Iterable, Iterator

from engine.config.experiment import Experiment
from engine.evidence.measure import Facts, Pair, batches, matured_at
from engine.experiment.decide import Figures, decide, decide_step, figures_of
from engine.experiment.holdback import decide_holdback
from engine.experiment.looks import counts_of, look_figures
from engine.experiment.rules import Rules
from engine.experiment.split import BUCKETS
from engine.experiment.state import WorkflowState
from engine.experiment.variant import differences
from engine.experiment.verdict import Verdict
from engine.experiment.window import Window
from engine.stats.allocation import chance_of_best, posterior
from engine.stats.detector import error_regression_log_e, regression_log_e
from search.assess import pair_of, questions_of, rules_of, sample_of, tightened_by
from search.room import trials_of

BATCH = 200
"""Matured units between two looks of the detector of regressions."""
PATIENCE = 200
"""A step that proves nothing within this many times its least units of both variants is over: a
margin that earlier promotions have left at 2 percent takes as many."""


def assess_trial(
    workflow: WorkflowState,
    experiment: Experiment,
    window: Window,
    facts: Facts,
    *,
    upto: int,
    now: float,
) -> Verdict:
    """The verdict on a trial's window, with the windows that it continues."""
    high_risk = is_high_risk(workflow, experiment, window)
    known = tightened_by(workflow, experiment, facts, now=now)
    rules = rules_of(
        experiment, window, high_risk=high_risk, workflow=workflow, now=now, tightened=known
    )
    pair = pair_of(workflow, window)
    sample, evidence = sample_of(facts, pair, experiment, upto=upto, now=now, rules=rules)
    figures = figures_of(sample, rules)
    if rules.policy == "group-sequential":
        figures |= _looked(facts, pair, experiment, rules, now=now)
    verdict = decide(figures, rules)
    if verdict.cause == "rivals":
        beside = _beside(workflow, experiment, window, facts, now=now)
        verdict = decide(figures | against_rivals(figures, beside), rules)
    return verdict.model_copy(update={"evidence": evidence})


def _looked(
    facts: Facts, pair: Pair, experiment: Experiment, rules: Rules, *, now: float
) -> Figures:
    """What the planned looks have shown, each at the moment that it was due."""
    zs: list[float | None] = []
    for count in counts_of(rules.looks, rules.max_units):
        at = matured_at(facts, pair, count, now=now, maturation_s=experiment.maturation_s)
        if at is None:
            break
        sample, _ = sample_of(facts, pair, experiment, upto=0, now=at, rules=rules)
        zs.append(z_of(figures_of(sample, rules, bounds=False)))
    return look_figures(zs, looks=rules.looks, alpha=rules.alpha)


def z_of(figures: Figures) -> float | None:
    """The lift in standard errors."""
    lift, se = figures["lift"], figures["se"]
    return None if lift is None or not se else lift / se


def against_rivals(own: Figures, rivals: Iterable[Figures]) -> Figures:
    """The chance that a candidate is the best of the open ones, from the lift of each."""
    beliefs = [posterior(one["lift"], one["se"]) for one in (own, *rivals)]
    return {"chance_of_best": chance_of_best(beliefs)[0]}


def _beside(
    workflow: WorkflowState, experiment: Experiment, window: Window, facts: Facts, *, now: float
) -> Iterator[Figures]:
    """What is known of the experiment's other open candidates."""
    for one in trials_of(workflow, experiment.experiment):
        if one.id != window.id:
            rules = rules_of(experiment, one, high_risk=False)
            pair = pair_of(workflow, one)
            sample, _ = sample_of(facts, pair, experiment, upto=0, now=now, rules=rules)
            yield figures_of(sample, rules, bounds=False)


def assess_step(
    workflow: WorkflowState,
    experiment: Experiment,
    window: Window,
    facts: Facts,
    *,
    upto: int,
    now: float,
) -> Verdict:
    """The verdict on the present step of a ramp.

    Harm and errors are weighed over all that is known of the pair and over this step alone;
    latency over this step alone.
    """
    known = tightened_by(workflow, experiment, facts, now=now)
    rules = rules_of(
        experiment, window, high_risk=False, workflow=workflow, now=now, tightened=known
    )
    pair = pair_of(workflow, window)
    whole, evidence = sample_of(facts, pair, experiment, upto=upto, now=now, rules=rules)
    since = pair_of(workflow, window, since=window.stepped_seq)
    step, _ = sample_of(facts, since, experiment, upto=upto, now=now, rules=rules)
    verdict = decide_step(
        figures_of(whole, rules),
        figures_of(step, rules),
        min_units=experiment.ramp.min_units,
        max_units=longest_step(window, experiment.ramp.min_units),
        rules=rules,
    )
    return verdict.model_copy(update={"evidence": evidence})


def assess_holdback(
    workflow: WorkflowState,
    experiment: Experiment,
    window: Window,
    facts: Facts,
    *,
    upto: int,
    now: float,
) -> Verdict:
    """The verdict on a promotion, from the units that still meet the former baseline."""
    # A holdback spends none of the alpha budget; its bound is shown at the experiment's level.
    rules = rules_of(experiment, window, high_risk=False, workflow=workflow, now=now)
    rules = rules.model_copy(update={"alpha": experiment.alpha})
    pair = pair_of(workflow, window)
    sample, evidence = sample_of(facts, pair, experiment, upto=upto, now=now, rules=rules)
    drifted = _regression(facts, pair, experiment, rules, now=now)
    verdict = decide_holdback(figures_of(sample, rules) | drifted)
    return verdict.model_copy(update={"evidence": evidence})


def _regression(
    facts: Facts, pair: Pair, experiment: Experiment, rules: Rules, *, now: float
) -> Figures:
    """Evidence that the promoted variant has become worse by now; None before a batch is full."""
    found = batches(
        facts,
        pair,
        now=now,
        maturation_s=experiment.maturation_s,
        size=BATCH,
        questions=questions_of(experiment, rules),
    )
    if not found:
        return {"regression_log_e": None, "error_regression_log_e": None}
    return {
        "regression_log_e": regression_log_e((one.quality for one in found), f=rules.f0),
        "error_regression_log_e": error_regression_log_e(one.errors for one in found),
    }


def is_high_risk(workflow: WorkflowState, experiment: Experiment, window: Window) -> bool:
    """Whether the candidate changes a parameter that only a person may let through."""
    changed = differences(workflow.variants[window.baseline], workflow.variants[window.candidate])
    return any(
        path in experiment.space and experiment.space[path].risk == "high" for path in changed
    )


def longest_step(window: Window, min_units: int) -> int:
    """Candidate units after which a step is given up: at a large share the baseline's are rare."""
    rarer = min(window.share, BUCKETS - window.share)
    return round(PATIENCE * min_units * window.share / max(rarer, 1))
