"""`trimtab bench statistics`: every scenario with its number of runs, in parallel."""

from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from cluster.bench.rows import Row
from cluster.bench.statistics import many, single


@dataclass(frozen=True)
class Scenario:
    """What is simulated, how often in full and how often in a hurry."""

    work: Callable[[int, int], list[Row]]
    full: int
    quick: int


SCENARIOS = {
    "B1": Scenario(single.among_equals, 2_000, 200),
    "B2": Scenario(many.campaign, 1_000, 20),
    "B3": Scenario(many.endless, 200, 40),
    "B4": Scenario(single.under_drift, 4_000, 1_000),
    "B5": Scenario(single.of_sessions, 2_000, 300),
    "B6": Scenario(single.of_delays, 2_000, 200),
    "B7": Scenario(single.of_missing, 4_000, 1_000),
    "B8": Scenario(single.of_speed, 2_000, 400),
    "B9": Scenario(many.of_eight, 200, 12),
    "B11": Scenario(single.of_harm, 2_000, 400),
    "B12": Scenario(single.of_rollback, 2_000, 400),
    "B13": Scenario(single.of_mismatch, 1_000, 100),
    "B14": Scenario(single.of_latency, 2_000, 200),
}


def run(
    only: Sequence[str], *, quick: bool, jobs: int, seed: int, progress: Callable[[str], None]
) -> list[Row]:
    """The rows of the named scenarios, or of all, in their order; long ones begin first."""
    names = [name for name in SCENARIOS if not only or name in only]
    with ProcessPoolExecutor(jobs) as pool:
        order = sorted(names, key=lambda name: name not in {"B2", "B9"})
        waiting = {name: pool.submit(_work, name, quick, seed) for name in order}
        rows: list[Row] = []
        for name in names:
            rows += waiting[name].result()
            progress(name)
    return rows


def _work(name: str, quick: bool, seed: int) -> list[Row]:
    scenario = SCENARIOS[name]
    return scenario.work(scenario.quick if quick else scenario.full, seed)
