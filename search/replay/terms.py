"""Under which terms a table is replayed: the experiment without its clock, and what it can't do."""

from collections.abc import Sequence

from engine.config.experiment import Experiment
from engine.config.problem import did_you_mean, listed
from engine.errors import ConfigError
from search.replay.outcomes import Outcomes

BASELINE = "baseline"
ROUNDS = 4
"""Baselines, one after another, that a replay may try every other variant against."""


def timeless(experiment: Experiment) -> Experiment:
    """The experiment for a replay: outcomes are final at once, nobody approves, no day passes."""
    return experiment.model_copy(
        update={"mode": "auto", "maturation_s": 0.0, "min_cycle_s": 0.0, "max_duration_s": None}
    )


def usual_experiment(variants: Sequence[str]) -> Experiment:
    """The defaults among these variants: four windows at once, 5 % of the traffic each.

    A window may last long enough for nine in ten candidates of the smallest effect worth finding.
    """
    return Experiment.model_validate(
        {
            "experiment": "replay",
            "workflow": "replay",
            "mode": "auto",
            "maturation_s": 0.0,
            "min_cycle_s": 0.0,
            "windows": {
                "concurrent": 4,
                "share": 0.05,
                "exploration_cap": 0.2,
                "max_units": 10_000,
                "max_trials": max(20, ROUNDS * (len(variants) - 1)),
            },
            "max_promotions": len(variants),
            "space": {"variant": {"type": "choice", "choices": list(variants)}},
        }
    )


def baseline_of(variants: Sequence[str], named: str | None) -> str:
    """The variant that serves at the start: the one that is named, or the one of that name.

    Raises:
        ConfigError: There is no such variant.
    """
    wanted = named or BASELINE
    if wanted in variants:
        return wanted
    if named is None:
        known = listed(variants, most=8)
        raise ConfigError(f"no variant is called `{BASELINE}`; name one by --baseline: {known}")
    raise ConfigError(f"--baseline is {named!r}, no variant; {did_you_mean(named, variants)}")


def refuse_unmeasurable(experiment: Experiment, outcomes: Outcomes) -> None:
    """Refuse guardrails that the table says nothing about: unmeasured, they would hold for ever.

    Raises:
        ConfigError: The guardrail, and what to do.
    """
    if outcomes.latency_s is None:
        why = "the outcomes have no column `latency_s`, so `trimtab` could never promote"
        raise ConfigError(f"{why}; add it, or compare the other policies only")
    rails = experiment.guardrails
    asked = {
        "latency_p95": rails.latency_p95,
        "timeout_margin": rails.timeout_margin,
        "cost_ratio": rails.cost_ratio,
        "metrics": rails.metrics or None,
    }
    if unknown := [f"guardrails.{name}" for name, rail in asked.items() if rail is not None]:
        why = f"a replay does not measure {listed(unknown)}, so `trimtab` could never promote"
        raise ConfigError(f"{why}; delete it from a copy of the experiment")
    for name in experiment.segments.names:
        if name not in outcomes.segments:
            why = f"segments.names: {name!r} is no segment of the outcomes"
            raise ConfigError(f"{why}; {did_you_mean(name, outcomes.segments)}")
