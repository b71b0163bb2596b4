"""What each strategy does to the demo's questions: to quality, latency and tokens."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cluster.bench.rows import Row
from cluster.demo.changes import Changes
from cluster.demo.files import EXPERIMENT, QUESTIONS
from cluster.demo.sweep import effects, outcomes
from cluster.demo.users import load_questions
from engine.config.experiment import load_experiment
from engine.config.paths import with_settings
from engine.experiment.variant import variant_of

CACHE = Path(".trimtab/cache")
SEED = 1
QUICK_QUESTIONS = 24
REPEATS = 2
"""Times that each question is asked, so that a cache has something to remember."""

STRATEGIES: Mapping[str, Changes] = {
    "as installed": {},
    "rerank": {"rag.rerank.enabled": True},
    "hybrid retrieval": {"rag.mode": "hybrid"},
    "sparse retrieval": {"rag.mode": "sparse"},
    "hybrid retrieval and rerank": {"rag.mode": "hybrid", "rag.rerank.enabled": True},
    "rewriting by rules": {"rag.rewrite.follow_ups": "heuristic"},
    "three ways of asking": {"rag.rewrite.queries": 3},
    "review": {"nodes.reviewer.enabled": True},
    "summary agent": {"nodes.summary_agent.enabled": True, "nodes.summary_agent.chars": 200},
    "compression to half": {
        "context.compression.method": "extractive",
        "context.compression.ratio": 0.5,
    },
    "cleaning and deduplication": {
        "context.compression.clean": True,
        "context.compression.deduplicate": True,
    },
    "exact cache": {"caching.exact.enabled": True},
    "exact and semantic cache": {
        "caching.exact.enabled": True,
        "caching.semantic.enabled": True,
    },
}
"""The change of the demo's workflow that each strategy is."""


def measure(*, quick: bool = False) -> list[Row]:
    """Three rows a strategy: quality with its difference's interval, latency and tokens."""
    workflow = load_experiment(EXPERIMENT).workflow
    changed = {name: with_settings(workflow, changes) for name, changes in STRATEGIES.items()}
    hashes = {name: variant_of(one).hash for name, one in changed.items()}
    questions = load_questions(QUESTIONS, "heldout")
    asked = (questions[:QUICK_QUESTIONS] if quick else questions) * REPEATS
    table = asyncio.run(outcomes(list(changed.values()), asked, SEED, cache=CACHE))
    baseline = hashes["as installed"]
    found = effects(table, baseline, {hashes[name]: STRATEGIES[name] for name in STRATEGIES})
    by_name = dict(zip(STRATEGIES, found, strict=True))
    return [row for name, one in by_name.items() for row in _rows(name, one, len(asked))]


def _rows(name: str, found: Mapping[str, Any], asked: int) -> list[Row]:
    quality = Row(
        id="ablation",
        what=f"{name}: quality that it adds, to {found['quality']:.3f}",
        value=found["effect"],
        low=found["low"],
        high=found["high"],
        unit=f"of {asked} answers",
    )
    return [
        quality,
        _ratio(name, "latency", found["latency_ratio"]),
        _ratio(name, "tokens", found["tokens_ratio"]),
    ]


def _ratio(name: str, what: str, value: float) -> Row:
    return Row(id="ablation", what=f"{name}: {what} to that as installed", value=value, unit="")
