"""A search begins with what earlier experiments on the workflow have measured."""

import optuna
import pytest
from optuna.trial import TrialState

from engine.config.space import Space
from engine.stats.allocation import posterior
from search.learning.propose import Limits
from search.learning.sampler import AGAINST, EARLIER, row_of
from search.warm import start_warm
from tests.search.stage import experiment_of

WIDE = {
    "llm.temperature": {"type": "float", "low": 0.0, "high": 1.0},
    "rag.top_k": {"type": "int", "low": 1, "high": 12},
    "rag.rerank.enabled": {"type": "bool"},
}


def space_with(**parameters):
    return Space.model_validate({"parameters": WIDE | parameters})


def warmed(stage, space):
    study = optuna.create_study(direction="maximize")
    count = start_warm(study, stage.workflow, space, Limits())
    assert count == len(study.trials)
    return study.trials


@pytest.fixture
def measured(stage):
    """One candidate that was measured until its window closed."""
    life = stage.life("a", **{"rag.top_k": 9})
    stage.quality[stage.baseline] = 0.6
    stage.serve(20.0)
    for _ in life.reports():
        stage.quality = {stage.baseline: 0.6} | dict.fromkeys(
            (one.candidate for one in stage.workflow.windows.values()), 0.3
        )
    return stage


def test_a_search_without_a_past_begins_with_nothing(stage):
    assert warmed(stage, space_with()) == []


def test_a_lift_over_an_earlier_baseline_is_taken_over_with_its_error(measured):
    (window,) = measured.workflow.windows.values()
    figures = window.verdict.figures

    (trial,) = warmed(measured, space_with())

    row = row_of(trial)
    assert (row.lift.value, row.lift.se) == (figures["lift"], figures["se"])
    assert trial.params == {"llm.temperature": 0.7, "rag.top_k": 9, "rag.rerank.enabled": False}
    assert trial.user_attrs[AGAINST]["rag.top_k"] == 4
    assert trial.user_attrs[EARLIER] == "docs-qa"
    assert trial.value == posterior(figures["lift"], figures["se"]).mean
    assert trial.state == TrialState.COMPLETE


def test_guardrails_are_told_of_earlier_trials_too(measured):
    (trial,) = warmed(measured, space_with())

    assert set(trial.constraints) == {"latency", "errors"}
    assert trial.constraints["errors"] == 0.0


def test_what_differed_in_settings_not_searched_now_is_left_out(measured):
    narrow = Space.model_validate({"parameters": {"rag.top_k": WIDE["rag.top_k"]}})

    assert warmed(measured, narrow) == []


def test_what_lies_outside_the_ranges_of_now_is_left_out(measured):
    assert warmed(measured, space_with(**{"rag.top_k": {"type": "int", "low": 1, "high": 8}})) == []


def test_what_measured_nothing_is_left_out(stage):
    stage.on_sleep = stage.wait
    life = stage.life("a")
    next(life.reports())

    assert warmed(stage, space_with()) == []


def test_a_search_by_differences_learns_from_it(measured):
    """With three rows known no proposal is a guess any more, and none repeats what was tried."""
    from search.searcher import Study, TrimtabSearch, storage_of

    experiment = experiment_of()
    space = Space.model_validate({"parameters": experiment.space})
    study = Study(name="next", storage=storage_of(measured.root), startup_trials=1, seed=1)
    settings = measured.workflow.variants[measured.baseline].settings
    search = TrimtabSearch(space, settings, study, lambda: "open")
    start_warm(search.study, measured.workflow, space, Limits())

    proposed = search.suggest("x")

    assert proposed != search.study.trials[0].params
    assert search.study.trials[-1].user_attrs[AGAINST]["rag.top_k"] == 4
