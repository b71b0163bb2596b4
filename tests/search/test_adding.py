"""Laws of candidates added by hand: of the space, new, lawful, and whole proposals."""

import pickle

import pytest

from engine.config.experiment import space_of
from engine.config.paths import settings_of
from engine.errors import ConfigError, NotFoundError
from engine.experiment.entries import ExperimentEnded, Installed
from engine.experiment.variant import variant_of
from search.adding import Wishes, added_candidates, addition
from search.searcher import Study, TrimtabSearch, storage_of
from search.space import changes_of
from tests.search.stage import WORKFLOW, Stage, experiment_of

NAME = "docs-qa"
AGENTS = ["nodes.qa_agent.default", "nodes.qa_with_tool_agent.default"]


def asked(stage, reason="", **texts):
    return addition(stage.decisions.state(), NAME, texts, reason)


def proposals(stage):
    return added_candidates(stage.decisions.state(), NAME)


def test_what_is_not_named_stays_as_the_baseline_has_it(stage):
    stage.append(asked(stage, **{"llm.temperature": "0.1", "rag.top_k": "6"}))

    (proposal,) = proposals(stage)

    assert proposal == {"llm.temperature": 0.1, "rag.top_k": 6, "rag.rerank.enabled": False}


def test_a_proposal_changes_the_workflow_as_it_was_asked(stage):
    stage.append(asked(stage, "a hunch", **{"rag.rerank.enabled": "true"}))
    (proposal,) = proposals(stage)

    changed = settings_of(WORKFLOW) | changes_of(space_of(stage.experiment), proposal)

    assert changed["rag.rerank.enabled"] is True
    assert proposal["rag.rerank.depth"] == settings_of(WORKFLOW)["rag.rerank.depth"]


def test_proposals_come_in_the_order_in_which_they_were_asked_for(stage):
    for top_k in ("6", "8"):
        stage.append(asked(stage, **{"rag.top_k": top_k}))

    assert [one["rag.top_k"] for one in proposals(stage)] == [6, 8]


def test_what_was_tried_is_proposed_no_more(stage):
    stage.append(asked(stage, **{"rag.top_k": "6"}))
    stage.life("t", **proposals(stage)[0])._begin()

    assert proposals(stage) == []


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ({"rag.topk": "6"}, "rag.topk: not searched by this experiment; did you mean `rag.top_k`"),
        ({"llm.top_p": "0.5"}, "llm.top_p: not searched"),
        ({"rag.top_k": "many"}, "got 'many', which the space does not hold"),
        ({"rag.top_k": "99"}, "got '99', which the space does not hold"),
        ({"rag.rerank.enabled": "yes"}, "got 'yes'"),
        ({"rag.rerank.depth": "20"}, "has no effect here; set rag.rerank.enabled=true too"),
        ({"llm.temperature": "0.2"}, "the baseline is set like this already"),
    ],
)
def test_what_cannot_be_tried_is_refused_with_what_to_do(stage, texts, why):
    with pytest.raises(ConfigError, match=why):
        asked(stage, **texts)


def test_the_same_wish_twice_is_refused(stage):
    stage.append(asked(stage, **{"rag.top_k": "6"}))

    with pytest.raises(ConfigError, match="added already"):
        asked(stage, **{"rag.top_k": "6"})


def test_what_is_tried_now_is_refused(stage):
    stage.append(asked(stage, **{"rag.top_k": "6"}))
    stage.life("t", **proposals(stage)[0])._begin()

    with pytest.raises(ConfigError, match="was tried already"):
        asked(stage, **{"rag.top_k": "6"})


def test_an_experiment_that_does_not_go_on_takes_no_wishes(stage):
    with pytest.raises(NotFoundError, match="'other' never started; known: docs-qa"):
        addition(stage.decisions.state(), "other", {"rag.top_k": "6"})
    stage.append(ExperimentEnded(experiment=NAME, reason="over"))
    with pytest.raises(ConfigError, match="docs-qa has ended"):
        asked(stage, **{"rag.top_k": "6"})


def test_a_forbidden_combination_is_refused(tmp_path):
    stage = Stage(tmp_path, experiment_of(forbidden=[{"rag.top_k": 6, "llm.temperature": 0.2}]))

    with pytest.raises(ConfigError, match=r"rag.top_k=6: the experiment forbids"):
        asked(stage, **{"rag.top_k": "6"})
    stage.close()


def test_a_baseline_outside_the_space_has_to_be_set_as_well(tmp_path):
    space = experiment_of().model_dump()["space"]
    space["llm.temperature"] |= {"low": 0.5}
    stage = Stage(tmp_path, experiment_of(space=space))

    with pytest.raises(ConfigError, match=r"llm.temperature: the baseline has 0.2, .*set it too"):
        asked(stage, **{"rag.top_k": "6"})
    assert asked(stage, **{"rag.top_k": "6", "llm.temperature": "0.5"}).changes
    stage.close()


def test_a_choice_of_one_among_several_switches_is_one_setting(tmp_path):
    stage = Stage(tmp_path, experiment_of(exclusive=[AGENTS]))
    present, other = sorted(AGENTS, key=lambda path: not settings_of(WORKFLOW)[path])

    stage.append(asked(stage, **{other: "true"}))

    (proposal,) = proposals(stage)
    assert proposal["|".join(AGENTS)] == other
    with pytest.raises(ConfigError, match="only one of them can be true"):
        asked(stage, **{other: "true", present: "true"})
    with pytest.raises(ConfigError, match="name the switch that is to be true"):
        asked(stage, **{present: "false"})
    stage.close()


def test_a_wish_that_the_baseline_fulfils_by_now_is_left_out(stage):
    stage.append(asked(stage, **{"rag.top_k": "6"}))
    again = variant_of(WORKFLOW, {"rag.top_k": 6})
    config = WORKFLOW.model_dump(mode="json")

    stage.append(Installed(workflow="docs", baseline=again, workflow_config=config))

    assert proposals(stage) == []


def test_a_wish_is_proposed_first_once_and_by_a_search_that_was_pickled(stage):
    study = Study(name=NAME, storage=storage_of(stage.root), startup_trials=3, seed=1)
    wishes = pickle.loads(pickle.dumps(Wishes(stage.root, NAME)))
    search = TrimtabSearch(
        space_of(stage.experiment), settings_of(WORKFLOW), study, lambda: "open", wishes
    )
    search.suggest("before")
    stage.append(asked(stage, **{"rag.top_k": "6", "llm.temperature": "0.1"}))

    first, second = search.suggest("first"), search.suggest("second")

    wished = {"llm.temperature": 0.1, "rag.top_k": 6, "rag.rerank.enabled": False}
    assert first == wished
    assert second != wished
    added = [one for one in search.study.trials if one.user_attrs.get("added")]
    assert [one.user_attrs["trial"] for one in added] == ["first"]
