"""A person may point the search at a part of the space; the rest stays as it is."""

import pytest

from cluster.demo.files import EXPERIMENT
from engine.config.experiment import load_experiment
from engine.errors import ConfigError
from search.direction import directed

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
