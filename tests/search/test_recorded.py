import numpy as np
import polars as pl
import pytest

from engine.errors import UnmeasuredError
from engine.stats.alpha import Spent, next_alpha
from search.recorded import Pace, recorded_experiment
from tests.search.stage import experiment_of

EXPERIMENT = experiment_of(
    maturation_s=4.0,
    windows={
        "concurrent": 2,
        "share": 0.2,
        "exploration_cap": 0.4,
        "min_units": 100,
        "max_units": 300,
        "lease_s": 10,
        "max_trials": 6,
    },
)


def pool(quality: float = 0.6, units: int = 300) -> pl.DataFrame:
    dice = np.random.default_rng(3)
    return pl.DataFrame(
        {
            "variant": ["baseline"] * units,
            "unit": [f"q{i}" for i in range(units)],
            "score": (dice.random(units) < quality).astype(float),
            "latency_s": dice.lognormal(-2.0, 0.3, units),
        }
    )


def search(seed: int, units: int = 3_000, candidates: int = 6):
    return recorded_experiment(
        pool(),
        EXPERIMENT,
        seed=seed,
        candidates=candidates,
        units=units,
        pace=Pace(units_per_s=75.0, look_s=5.0),
    )


def test_copies_of_the_baseline_are_hardly_ever_promoted():
    outcomes = [search(seed, units=2_250) for seed in range(3)]

    assert sum(outcome.promoted for outcome in outcomes) <= 1


def test_a_search_is_the_same_for_ever_under_its_seed():
    assert search(5, units=1_500) == search(5, units=1_500)
    assert search(5, units=1_500) != search(6, units=1_500)


def test_candidates_are_tried_until_they_or_the_units_run_out():
    few = search(1, units=20_000, candidates=1)
    short = search(1, units=750)

    assert [w.verdict.action for w in few.windows] == ["stop"]
    assert few.units < 20_000
    assert short.units == 750


def test_each_copy_takes_its_own_part_of_the_alpha_budget():
    spent: list[Spent] = []
    for window in search(2).windows:
        assert window.alpha == pytest.approx(
            next_alpha(spent, alpha=EXPERIMENT.alpha, horizon=EXPERIMENT.windows.max_trials)
        )
        spent.append(Spent(window.alpha, 0))


def test_without_outcomes_there_is_nothing_to_draw():
    with pytest.raises(UnmeasuredError):
        recorded_experiment(pool(units=0), EXPERIMENT, seed=0, candidates=1, units=100)
