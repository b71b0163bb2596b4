from typing import ClassVar

import optuna
import pytest
from ray.tune.logger import TBXLoggerCallback

from engine.errors import ConfigError, NotFoundError
from engine.experiment.entries import ExperimentEnded
from search.outcome import outcome_of
from search.report import Report
from search.searcher import storage_of
from search.trial import Place
from search.tuner import Heard, _begin, alone, close_abandoned, close_lapsed, study_name
from tests.search.stage import Stage, experiment_of


def causes(stage: Stage) -> list[str]:
    return [one.verdict.cause for one in stage.workflow.windows.values() if one.verdict]


@pytest.fixture
def busy(stage: Stage) -> Stage:
    """Two trials have windows, and their search dies."""
    stage.on_sleep = stage.wait
    next(stage.life("a").reports())
    next(stage.life("b", **{"rag.top_k": 9}).reports())
    return stage


def test_one_experiment_is_searched_by_one_process(tmp_path):
    with alone(tmp_path, "docs-qa"):
        with pytest.raises(ConfigError, match="another process"), alone(tmp_path, "docs-qa"):
            pass
        with alone(tmp_path, "other"):
            pass

    with alone(tmp_path, "docs-qa"):
        pass


def test_what_does_not_go_on_cannot_be_resumed(stage):
    stage.append(ExperimentEnded(experiment="docs-qa", reason="enough"))

    with pytest.raises(ConfigError, match="nothing to resume"):
        _begin(stage.decisions, stage.experiment, "docs", resume=True)


def test_beginning_again_ends_what_was_left_behind(busy):
    _begin(busy.decisions, busy.experiment, "docs", resume=False)

    kinds = [entry.kind for entry in busy.decisions.ledger.read()]
    assert kinds[-4:] == ["WindowClosed", "WindowClosed", "ExperimentEnded", "ExperimentStarted"]
    assert causes(busy) == ["ended", "ended"]


def test_each_beginning_has_a_study_of_its_own(stage):
    first = study_name(stage.decisions, "docs-qa")
    _begin(stage.decisions, stage.experiment, "docs", resume=False)

    assert (first, study_name(stage.decisions, "docs-qa")) == ("docs-qa", "docs-qa-2")


def test_windows_of_a_dead_search_take_no_room(busy):
    close_lapsed(busy.decisions, "docs-qa")

    assert causes(busy) == ["ended", "ended"]
    assert busy.workflow.open_windows == ()


def test_a_trial_that_failed_for_good_gives_its_window_back(busy):
    class Failed:
        trial_id = "a"

    Heard(Place(root=busy.root, experiment="docs-qa")).on_trial_error(0, [], Failed())

    assert [window.trial for window in busy.workflow.open_windows] == ["b"]


def test_another_experiments_dead_search_takes_no_room_either(busy):
    close_abandoned(busy.root, busy.decisions, "docs")

    assert busy.workflow.open_windows == ()


def test_another_experiments_living_search_keeps_its_windows(busy):
    with alone(busy.root, "docs-qa"):
        close_abandoned(busy.root, busy.decisions, "docs")

    assert len(busy.workflow.open_windows) == 2


def test_outcome_rows_keep_the_figures_of_superseded_trials(stage):
    stage.quality = {stage.baseline: 0.2}
    others = stage.life("b", **{"rag.top_k": 9}).reports()
    next(others)
    stage.serve(6)
    next(others)
    list(stage.life("a").reports())
    end = list(others)[-1]
    study = optuna.create_study(storage=storage_of(stage.root), study_name="docs-qa")
    for trial, noted in (("a", {}), ("b", end.row()), ("c", {"cause": "duplicate"})):
        own = study.ask()
        for key, value in ({"candidate": "x"} | noted | {"trial": trial}).items():
            own.set_user_attr(key, value)

    outcome = outcome_of(stage.decisions.state(), "docs-qa", study, "enough")

    assert [(row.state, row.cause) for row in outcome.trials] == [
        ("nominated", "evidence"),
        ("stop", "superseded"),
        ("duplicate", "duplicate"),
    ]
    assert outcome.trials[1].units == end.row()["units"] > 0
    assert outcome.promoted is None


def test_an_experiment_on_a_workflow_that_was_never_installed_is_refused(stage):
    with pytest.raises(NotFoundError):
        _begin(stage.decisions, experiment_of(experiment="new"), "elsewhere", resume=False)

    assert "new" not in stage.decisions.state().experiments


def test_tensorboard_leaves_out_what_is_unmeasured(tmp_path):
    class Begun:
        local_path = str(tmp_path)
        evaluated_params: ClassVar = {"rag.top_k": 5, "llm.temperature": 0.5, "rag.rerank": None}

        def init_local_path(self):
            pass

    log, trial = TBXLoggerCallback(), Begun()
    measured = {"candidate_units": 40, "lift": 0.02, "se": None}
    rows = [
        Report("continue", "undecided", "x").row(),
        Report("continue", "undecided", "x", figures=measured).row(),
    ]

    for step, row in enumerate(rows, start=1):
        log.log_trial_result(step, trial, row | {"training_iteration": step})
    log.log_trial_end(trial)

    (file,) = tmp_path.glob("events.out.tfevents.*")
    written = file.read_bytes()
    assert written.count(b"ray/tune/units") >= 2
    assert b"ray/tune/lift" in written
    assert b"_hparams_/session_start_info" in written
    assert b"ray/tune/se" not in written
