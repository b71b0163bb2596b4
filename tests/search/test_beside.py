"""Laws of neighbours: experiments on one workflow share its baseline, never a unit or a slot."""

import pytest

from engine.errors import ConfigError
from engine.experiment.entries import ExperimentEnded
from engine.experiment.split import assign, epoch_of
from search.beside import check_beside
from tests.search.played import PARAMS
from tests.search.stage import WORKFLOW, experiment_of


def beside(stage, *, is_searched=True, windows=None, **changes):
    sized = experiment_of().windows.model_dump() | (windows or {})
    newcomer = experiment_of(experiment="other", windows=sized, **changes)
    check_beside(stage.decisions.state(), "docs", newcomer, lambda _: is_searched)
    return newcomer


def test_a_second_experiment_fits_where_traffic_and_slots_are_left(stage):
    beside(stage, windows={"concurrent": 1})


@pytest.mark.parametrize(
    ("windows", "why"),
    [
        ({"exploration_cap": 0.6}, "take 0.6 of the traffic, and beside docs-qa only 0.5 are free"),
        ({"boost_cap": 0.8}, "take 0.8 of the traffic"),
        (
            {"concurrent": 40, "share": 0.01},
            f"needs 44 slots and docs has {WORKFLOW.deploy.slots}",
        ),
    ],
)
def test_an_experiment_that_would_crowd_another_is_refused(stage, windows, why):
    with pytest.raises(ConfigError, match=why):
        beside(stage, windows=windows)


def test_where_nothing_is_free_that_is_said(stage):
    with pytest.raises(ConfigError, match="nothing is free"):
        beside(stage, holdback=0.6, ramp={"steps": [0.25, 0.4]})


def test_an_experiment_that_nobody_searches_claims_nothing(stage):
    beside(stage, is_searched=False, windows={"boost_cap": 0.8})


def test_an_experiment_that_ended_claims_nothing(stage):
    stage.append(ExperimentEnded(experiment="docs-qa", reason="over"))

    beside(stage, windows={"boost_cap": 0.8})


def test_an_experiment_is_not_its_own_neighbour(stage):
    check_beside(stage.decisions.state(), "docs", stage.experiment, lambda _: True)


def test_no_unit_meets_the_candidates_of_two_experiments(stage):
    stage.life("good", **PARAMS["good"])._begin()
    stage.experiment = beside(stage, windows={"concurrent": 1})
    stage.start()
    stage.life("bad", **PARAMS["bad"])._begin()
    windows = stage.workflow.open_windows

    split = stage.workflow.split
    met = [assign(f"u{n}", split, epoch_of(split, stage.now)).window for n in range(2_000)]

    assert {one.experiment for one in windows} == {"docs-qa", "other"}
    assert set(met) == {"", *(one.id for one in windows)}
