"""An experiment on one segment has a branch of its own; everyone else's baseline stays."""

from dataclasses import replace
from pathlib import Path

import pytest

from engine.config.experiment import LoadedExperiment
from engine.errors import ConfigError, NotFoundError
from engine.experiment.entries import ExperimentStarted, Promoted, WindowClosed
from engine.experiment.variant import variant_of
from engine.experiment.verdict import Verdict
from search.branching import target
from search.opening import Proposal, opening
from tests.search.stage import WORKFLOW, experiment_of


def loaded(**changes):
    return LoadedExperiment(experiment_of(**changes), WORKFLOW, Path("experiment.yaml"))


def begun(stage, **changes):
    return target(stage.root, stage.decisions, loaded(**changes))


@pytest.fixture
def met(stage):
    stage.segments = {"how-to": 0.0, "definition": 0.0}
    stage.serve(2)
    stage.wait(5)
    stage.serve(1)
    return stage


def test_without_a_segment_the_whole_workflow_is_searched(stage):
    assert begun(stage) == "docs"
    assert list(stage.decisions.state().workflows) == ["docs"]


def test_a_branch_begins_as_its_root_is_now(met):
    assert begun(met, segment="how-to") == "docs.how-to"

    branch = met.decisions.state().workflow("docs.how-to")
    assert (branch.baseline, branch.config) == (met.baseline, met.workflow.config)
    assert branch.open_windows == ()


def test_a_branch_is_begun_once(met):
    begun(met, segment="how-to")
    entries = len(met.decisions.ledger.read())

    assert begun(met, segment="how-to") == "docs.how-to"
    assert len(met.decisions.ledger.read()) == entries


def test_what_is_promoted_in_a_branch_changes_nothing_for_the_others(met):
    begun(met, segment="how-to")
    better = variant_of(WORKFLOW, {"rag.top_k": 9})
    met.append(
        ExperimentStarted(
            experiment="narrow",
            workflow="docs.how-to",
            config=experiment_of(experiment="narrow").model_dump(mode="json"),
            seed=0,
        )
    )
    proposal = Proposal(trial="a", candidate=better, experiment=experiment_of(experiment="narrow"))
    met.append(opening(met.decisions.state(), proposal))
    met.append(
        WindowClosed(
            window=met.decisions.state().workflow("docs.how-to").open_windows[0].id,
            verdict=Verdict(action="stop", cause="operator", reason="a person knows better"),
        )
    )

    met.append(
        Promoted(
            workflow="docs.how-to", before=met.baseline, after=better.hash, reason="known to be"
        )
    )

    state = met.decisions.state()
    assert state.workflow("docs.how-to").baseline == better.hash
    assert state.workflow("docs").baseline == met.baseline != better.hash


def test_a_segment_that_nobody_asked_from_is_refused_with_those_that_were_met(met):
    with pytest.raises(ConfigError, match="'howto' was met so far; did you mean `how-to`"):
        begun(met, segment="howto")


def test_a_branch_of_an_unknown_workflow_is_not_found(stage):
    unknown = replace(
        loaded(segment="how-to"), workflow=WORKFLOW.model_copy(update={"workflow": "x"})
    )

    with pytest.raises(NotFoundError):
        target(stage.root, stage.decisions, unknown)
