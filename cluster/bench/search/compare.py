"""`trimtab bench search`: what each way of searching does to its users, with equal traffic."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from math import sqrt
from statistics import fmean, stdev
from typing import Any

from cluster.bench.rows import Row, judged
from cluster.bench.search.proposers import OneKnob, RandomSettings, RawTpe
from cluster.bench.search.surfaces import SURFACES
from engine.config.experiment import Experiment
from engine.config.problem import did_you_mean
from engine.errors import ConfigError
from engine.stats.proportion import wilson
from search.replay.engine import Asked, replay_source
from search.replay.learned import Learned
from search.replay.proposing import Proposer
from search.replay.surface import Surface, name_of
from search.replay.track import ReplayResult

LATENCY_RATIO = 1.2
FIRST = 1_000_000
"""Requests over which the deployed quality is averaged."""
Result = dict[str, Any]


def _learned(surface: Surface, seed: int) -> Proposer:
    return Learned(surface.space, seed, surface.settings, name_of)


METHODS: dict[str, tuple[str, int | None, Callable[[Surface, int], Proposer]]] = {
    "trimtab": ("trimtab", None, _learned),
    "random, our statistics": ("trimtab", None, RandomSettings),
    "one knob, our statistics": ("trimtab", None, OneKnob),
    "article, n = 200": ("article", 200, OneKnob),
    "article, n = 1000": ("article", 1_000, OneKnob),
    "article, n = 5000": ("article", 5_000, OneKnob),
    "fixed-n z, n = 2000": ("fixed-z", 2_000, OneKnob),
    "Optuna TPE on raw rates, n = 2000": ("tpe", 2_000, RawTpe),
}
"""By name: the policy, the length of its windows, and who proposes."""

SAFE = {"promotions that were worse": "<= 0", "beyond the anchor": "<= 0"}
GOALS = {
    "mixed": SAFE | {"reach and hold": ">= 0.65", "deployed quality, first million": ">= 0.655"}
}
"""By surface; the others have to be safe."""


def tasks(replicates: int, requests: int, only: Sequence[str] = ()) -> list[tuple[str, int]]:
    """Every replicate of every method on every surface, those of one seed together.

    `only` names surfaces, or methods on them, such as `mixed/trimtab`.

    Raises:
        ConfigError: A name is none of these.
    """
    known = [f"{surface}/{method}" for surface in SURFACES for method in METHODS]
    for name in only:
        if name not in {*known, *SURFACES}:
            raise ConfigError(f"--only {name!r} is no comparison; {did_you_mean(name, known)}")
    chosen = [one for one in known if not only or {one, one.split("/")[0]} & {*only}]
    return [(f"{one}/{requests}", seed) for seed in range(replicates) for one in chosen]


def replicate(name: str, seed: int) -> Result:
    """One method on one surface, from one seed."""
    place, method, requests = name.split("/")
    surface = SURFACES[place]
    policy, units, proposer = METHODS[method]
    baseline = name_of(surface.baseline)
    asked = Asked(policy, baseline, int(requests), seed, units=units)
    best = _best(place)
    result = replay_source(surface, experiment(), asked, best, proposer(surface, seed))
    made = [one for one in result.promotions if not one.is_rollback]
    return {
        "holds": result.holds_best,
        "deployed": _deployed(surface, result, min(FIRST, int(requests))),
        "final": surface.truth(result.final).quality,
        "promotions": len(made),
        "worse": sum(one.is_worse for one in made),
        "breached": result.breached_anchor,
        "regret": result.regret_per_request,
    }


def rows(found: Mapping[str, Sequence[Result]], *, marks: bool) -> list[Row]:
    """The figures of every method on every surface; `marks` judges them by the goals."""
    made: list[Row] = []
    for name, results in found.items():
        surface, method, _ = name.split("/")
        goals = GOALS.get(surface, SAFE) if marks and method == "trimtab" else {}
        made += _rows(f"B10 {surface}", method, results, goals=goals)
    return made


@cache
def experiment() -> Experiment:
    """The traffic that every method gets: four windows of 5 %, half of all for a promising one."""
    return Experiment.model_validate(
        {
            "experiment": "bench",
            "workflow": "none",
            "mode": "auto",
            "maturation_s": 0,
            "min_cycle_s": 0,
            "windows": {
                "concurrent": 4,
                "share": 0.05,
                "exploration_cap": 0.2,
                "boost_cap": 0.5,
                "max_units": 100_000,
                "max_trials": 10_000,
            },
            "ramp": {"steps": (0.5, 0.9)},
            "holdback": 0.1,
            "max_promotions": 1_000,
            "space": {"llm.temperature": {"type": "float", "low": 0.0, "high": 1.0}},
        }
    )


@cache
def _best(surface: str) -> float:
    return SURFACES[surface].best(LATENCY_RATIO)


def _deployed(surface: Surface, result: ReplayResult, requests: int) -> float:
    """The mean quality of the baselines over the first requests."""
    ends = [at for at, _ in result.deployed[1:]] + [requests]
    total = 0.0
    for (begin, variant), end in zip(result.deployed, ends, strict=True):
        span = max(min(end, requests) - min(begin, requests), 0)
        total += span * surface.truth(variant).quality
    return total / requests


def _rows(
    id_: str, method: str, results: Sequence[Result], *, goals: Mapping[str, str]
) -> list[Row]:
    count = len(results)
    promotions = sum(one["promotions"] for one in results)
    worse = sum(one["worse"] for one in results)
    found = {
        "reach and hold": _share([one["holds"] for one in results], f"of {count} runs"),
        "promotions that were worse": _share(
            [number < worse for number in range(promotions)], f"of {promotions}"
        ),
        "beyond the anchor": _share([one["breached"] for one in results], f"of {count} runs"),
        "deployed quality, first million": _mean([one["deployed"] for one in results]),
        "quality at the end": _mean([one["final"] for one in results]),
        "regret a request": _mean([one["regret"] for one in results]),
    }
    return [
        judged(Row(id=id_, what=f"{method}: {what}", goal=goals.get(what), **figures))
        for what, figures in found.items()
    ]


def _share(hits: Sequence[bool], unit: str) -> dict[str, Any]:
    """A share with its interval; of nothing it is 0, and nothing bounds it."""
    if not hits:
        return {"value": 0.0, "unit": unit}
    interval = wilson(sum(hits), len(hits))
    return {
        "value": sum(hits) / len(hits),
        "low": interval.low,
        "high": interval.high,
        "unit": unit,
    }


def _mean(values: Sequence[float]) -> dict[str, Any]:
    mean = fmean(values)
    if len(values) < 2:
        return {"value": mean, "unit": ""}
    half = 1.96 * stdev(values) / sqrt(len(values))
    return {"value": mean, "low": mean - half, "high": mean + half, "unit": ""}
