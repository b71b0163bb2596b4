"""Small tables and experiments for replays."""

import numpy as np

from engine.config.experiment import Experiment
from search.replay.outcomes import Outcomes


def table(*qualities, units=4_000, slower=(), seed=0, **more):
    """Variants v0, v1, … with these qualities; those in `slower` take twice the time."""
    rng = np.random.default_rng(seed)
    count = len(qualities)
    score = np.concatenate([(rng.random(units) < quality).astype(float) for quality in qualities])
    latency = np.exp(rng.normal(0.0, 0.5, score.size))
    variant = np.repeat(np.arange(count), units)
    latency[np.isin(variant, list(slower))] *= 2.0
    return Outcomes(
        variants=tuple(f"v{number}" for number in range(count)),
        variant=variant,
        unit=np.tile(np.arange(units), count),
        score=score,
        latency_s=latency,
        **more,
    )


def experiment(**windows):
    """An experiment for replays: outcomes are final at once, nobody approves."""
    usual = {
        "concurrent": 3,
        "share": 0.1,
        "exploration_cap": 0.3,
        "min_units": 200,
        "max_units": 20_000,
        "max_trials": 100,
    }
    return Experiment.model_validate(
        {
            "experiment": "replayed",
            "workflow": "workflow.yaml",
            "mode": "auto",
            "maturation_s": 0,
            "min_cycle_s": 0,
            "windows": usual | windows,
            "max_promotions": 100,
            "space": {"llm.temperature": {"type": "float", "low": 0.0, "high": 1.0}},
        }
    )
