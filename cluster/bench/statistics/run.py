"""`trimtab bench statistics`: every scenario with its number of runs, in parallel."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.bench.rows import Row
from cluster.bench.statistics import many, single
from engine.errors import ConfigError


@dataclass(frozen=True)
class Scenario:
    """What is simulated, how often in full and how often in a hurry."""

    work: Callable[[int, int], list[Row]]
    full: int
    quick: int


SCENARIOS = {
    "B1": Scenario(single.among_equals, 2_000, 200),
    "B2": Scenario(many.campaign, 1_000, 10),
    "B3": Scenario(many.endless, 200, 40),
    "B4": Scenario(single.under_drift, 4_000, 1_000),
    "B5": Scenario(single.of_sessions, 2_000, 300),
    "B6": Scenario(single.of_delays, 2_000, 200),
    "B7": Scenario(single.of_missing, 4_000, 1_000),
    "B8": Scenario(single.of_speed, 2_000, 400),
    "B9": Scenario(many.of_eight, 200, 8),
    "B11": Scenario(single.of_harm, 2_000, 400),
    "B12": Scenario(single.of_rollback, 2_000, 400),
    "B13": Scenario(single.of_mismatch, 1_000, 100),
    "B14": Scenario(single.of_latency, 2_000, 200),
}

LONG = {"B2", "B9"}


def tasks(only: Sequence[str], *, quick: bool, seed: int) -> list[tuple[str, int]]:
    """The named scenarios with their number of runs, or all; long ones begin first.

    Raises:
        ConfigError: There is no such scenario.
    """
    for name in only:
        if name not in SCENARIOS:
            known = ", ".join(SCENARIOS)
            raise ConfigError(f"--only: no scenario {name!r}; there are: {known}")
    names = [name for name in SCENARIOS if not only or name in only]
    order = sorted(names, key=lambda name: name not in LONG)
    runs = {name: SCENARIOS[name].quick if quick else SCENARIOS[name].full for name in names}
    return [(f"{name}/{runs[name]}", seed) for name in order]


def work(task: str, seed: int) -> dict[str, Any]:
    """One scenario's rows, as they are kept."""
    name, runs = task.split("/")
    return {"rows": [row.model_dump() for row in SCENARIOS[name].work(int(runs), seed)]}


def rows(found: Mapping[str, Sequence[dict[str, Any]]]) -> list[Row]:
    """The rows of all scenarios that are done, in their order."""
    done = {task.split("/")[0]: results for task, results in found.items()}
    return [
        Row.model_validate(row)
        for name in SCENARIOS
        for result in done.get(name, [])
        for row in result["rows"]
    ]
