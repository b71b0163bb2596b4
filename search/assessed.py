"""Verdicts from the two books: what a trial, the selector and a verifier compute alike."""

from engine.config.experiment import Experiment
from engine.evidence.measure import Facts
from engine.experiment.decide import decide, decide_holdback, decide_step, figures_of
from engine.experiment.split import BUCKETS
from engine.experiment.state import WorkflowState
from engine.experiment.variant import differences
from engine.experiment.verdict import Verdict
from engine.experiment.window import Window
from search.assess import pair_of, rules_of, sample_of

PATIENCE = 10
"""A step that proves nothing within this many times its least units of both variants is over."""


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
    pair = pair_of(workflow, window)
    sample, evidence = sample_of(facts, pair, experiment, upto=upto, now=now)
    rules = rules_of(experiment, window, high_risk=is_high_risk(workflow, experiment, window))
    verdict = decide(figures_of(sample, rules), rules)
    return verdict.model_copy(update={"evidence": evidence})


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
    whole, evidence = sample_of(facts, pair_of(workflow, window), experiment, upto=upto, now=now)
    since = pair_of(workflow, window, since=window.stepped_seq)
    step, _ = sample_of(facts, since, experiment, upto=upto, now=now)
    rules = rules_of(experiment, window, high_risk=False)
    verdict = decide_step(
        figures_of(whole, rules),
        figures_of(step, rules),
        min_units=experiment.ramp.min_units,
        max_units=_longest(window, experiment.ramp.min_units),
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
    pair = pair_of(workflow, window)
    sample, evidence = sample_of(facts, pair, experiment, upto=upto, now=now)
    # A holdback spends none of the alpha budget; its bound is shown at the experiment's level.
    rules = rules_of(experiment, window, high_risk=False)
    rules = rules.model_copy(update={"alpha": experiment.alpha})
    verdict = decide_holdback(figures_of(sample, rules))
    return verdict.model_copy(update={"evidence": evidence})


def _longest(window: Window, min_units: int) -> int:
    """Candidate units after which a step is given up: at a large share the baseline's are rare."""
    rarer = min(window.share, BUCKETS - window.share)
    return round(PATIENCE * min_units * window.share / max(rarer, 1))


def is_high_risk(workflow: WorkflowState, experiment: Experiment, window: Window) -> bool:
    """Whether the candidate changes a parameter that only a person may let through."""
    changed = differences(workflow.variants[window.baseline], workflow.variants[window.candidate])
    return any(
        path in experiment.space and experiment.space[path].risk == "high" for path in changed
    )
