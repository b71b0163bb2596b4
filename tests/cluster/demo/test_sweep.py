import numpy as np
import polars as pl
import pytest

from cluster.demo.changes import random_changes, single_changes
from cluster.demo.files import EXPERIMENT
from cluster.demo.sweep import SCHEMA, effects
from engine.config.experiment import load_experiment
from engine.config.paths import settings_of, with_settings


def test_single_changes_are_possible_and_change_something():
    loaded = load_experiment(EXPERIMENT)

    changes = list(single_changes(loaded.space, settings_of(loaded.workflow)))

    assert len({path for change in changes for path in change}) >= 8
    assert all(with_settings(loaded.workflow, change) != loaded.workflow for change in changes)


def test_random_draws_are_possible_and_never_forbidden():
    loaded = load_experiment(EXPERIMENT)
    dice = np.random.default_rng(0)

    for _ in range(100):
        changes = random_changes(loaded.space, dice)

        assert not loaded.space.forbids(changes)
        assert ("rag.rerank.depth" in changes) == changes["rag.rerank.enabled"]
        with_settings(loaded.workflow, changes)


def test_an_effect_is_the_paired_difference_over_questions():
    rows = [("base", "q1", 0.0, 1.0, 9.0), ("base", "q2", 1.0, 4.0, 9.0)]
    rows += [("new", "q1", 1.0, 2.0, 3.0), ("new", "q2", 1.0, 8.0, 3.0)]
    rows += [("base", "q3", 0.0, 1.0, 9.0), ("new", "q3", 1.0, 2.0, 3.0)]
    table = pl.DataFrame(rows * 2, SCHEMA, orient="row")

    baseline, new = effects(table, "base", {"base": {}, "new": {"llm.prompt": "terse"}})

    assert (baseline["effect"], baseline["latency_ratio"]) == (0.0, 1.0)
    assert new["effect"] == pytest.approx(2 / 3)
    assert new["low"] < new["effect"] < new["high"]
    assert new["latency_ratio"] == pytest.approx(2.0)
    assert new["tokens_ratio"] == pytest.approx(1 / 3)
