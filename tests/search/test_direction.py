"""A person may point the search at a part of the space; the rest stays as it is."""

import pytest

from cluster.demo.files import EXPERIMENT
from engine.config.experiment import load_experiment
from engine.errors import ConfigError
from engine.evidence.observe import WORDS, Problem
from engine.stats.interval import Interval
from search.direction import KINDS, directed, focus_of

LOADED = load_experiment(EXPERIMENT)


def searched(*only):
    experiment = directed(LOADED, only).experiment
    return set(experiment.space), len(experiment.exclusive)


def test_without_a_direction_everything_is_searched():
    assert directed(LOADED, []) is LOADED


def test_only_what_is_named_is_searched():
    assert searched("llm.temperature") == ({"llm.temperature"}, 0)


def test_a_pattern_names_many():
    paths, groups = searched("rag.*")

    assert paths == {path for path in LOADED.experiment.space if path.startswith("rag.")}
    assert groups == 0


def test_a_parameter_brings_along_what_it_waits_for():
    assert searched("rag.rerank.depth")[0] == {"rag.rerank.depth", "rag.rerank.enabled"}


def test_a_group_of_switches_is_named_by_any_of_them():
    assert searched("nodes.qa_agent.default") == (set(), 1)


def test_a_pattern_that_matches_nothing_is_refused_with_the_nearest_path():
    with pytest.raises(ConfigError, match=r"did you mean `llm\.temperature`"):
        searched("llm.temprature")


def problem(kind="slow", scope="node", name="retrieve", workflow="docs-qa", severity=2.0):
    return Problem(
        kind=kind,
        workflow=workflow,
        scope=scope,
        name=name,
        calls=120,
        figure=Interval(low=3.0, high=5.0, estimate=4.0),
        limit=3.0,
        severity=severity,
        trace_ids=(),
    )


def focus(*problems, experiment=LOADED.experiment):
    return focus_of(problems, "docs-qa", experiment)


def test_a_slow_node_opens_its_own_block():
    found = focus(problem())

    assert set(found.paths) == {path for path in LOADED.experiment.space if path.startswith("rag.")}
    assert found.reason == "node retrieve is slow: 4 against 3 over 120 calls"


def test_an_agent_opens_the_language_model_and_itself():
    found = focus(problem(kind="failing", name="qa_agent"))

    llm = {path for path in LOADED.experiment.space if path.startswith("llm.")}
    assert set(found.paths) == llm | {"nodes.qa_agent.default"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scope", ["workflow", "segment"])
def test_every_kind_of_problem_opens_some_block(kind, scope):
    found = focus(problem(kind=kind, scope=scope, name="how-to"))

    assert found is not None
    assert WORDS[kind] in found.reason


def test_the_worst_problem_that_the_space_can_answer_decides():
    first, second = problem(scope="variant", name="abc"), problem(kind="failing", name="router")

    assert focus(first, second) == focus(second)


def test_problems_of_other_workflows_open_nothing():
    assert focus(problem(workflow="other")) is None


def test_without_a_problem_no_block_comes_first():
    assert focus() is None


def test_a_block_that_is_the_whole_space_is_no_direction():
    only = directed(LOADED, ["rag.*"]).experiment

    assert focus(problem(), experiment=only) is None


def test_a_problem_never_opens_a_parameter_of_high_risk():
    risky = LOADED.experiment.space["rag.top_k"].model_copy(update={"risk": "high"})
    space = {**LOADED.experiment.space, "rag.top_k": risky}

    found = focus(problem(), experiment=LOADED.experiment.model_copy(update={"space": space}))

    assert "rag.top_k" not in found.paths
    assert "rag.chunk_chars" in found.paths


def test_a_block_brings_along_what_its_parameters_wait_for():
    found = focus(problem(name="rerank"))

    assert set(found.paths) == {"rag.top_k", "rag.rerank.enabled", "rag.rerank.depth"}
