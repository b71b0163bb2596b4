"""Experiments among equals on recorded outcomes: how often would one be promoted by mistake?"""

import asyncio
import time
from pathlib import Path
from typing import Any

from cluster.demo.files import EXPERIMENT, QUESTIONS
from cluster.demo.sweep import outcomes
from cluster.demo.users import load_questions
from engine.config.experiment import load_experiment
from engine.stats.proportion import wilson
from search.recorded import recorded_experiment

UNITS = 20_000
"""Units that one experiment may see: more than a live demonstration does."""
DRAWS = 4
"""Times that each question is put to the baseline: its temperature makes answers differ."""


def false_promotions(root: Path, seeds: int) -> dict[str, Any]:
    """Record the baseline's outcomes, then let this many experiments draw from them."""
    started = time.monotonic()
    loaded = load_experiment(EXPERIMENT)
    root.mkdir(parents=True, exist_ok=True)
    questions = load_questions(QUESTIONS, "traffic") * DRAWS
    table = asyncio.run(outcomes([loaded.workflow], questions, seed=0, cache=root / "cache"))
    results = [
        recorded_experiment(
            table,
            loaded.experiment,
            seed=seed,
            candidates=loaded.experiment.windows.max_trials,
            units=UNITS,
        )
        for seed in range(seeds)
    ]
    promoted = sum(result.promoted for result in results)
    interval = wilson(promoted, seeds)
    return {
        "seeds": seeds,
        "promoted": promoted,
        "low": interval.low,
        "high": interval.high,
        "windows": sum(len(result.windows) for result in results),
        "units": sum(result.units for result in results),
        "seconds": round(time.monotonic() - started, 1),
    }
