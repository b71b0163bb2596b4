"""Draws from a space: lawful, close where they should be, and never against a condition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.space import Space
from search.draws import Draws

SPACE = Space.model_validate(
    {
        "parameters": {
            "llm.temperature": {"type": "float", "low": 0.0, "high": 1.0},
            "llm.top_p": {"type": "float", "low": 0.5, "high": 1.0, "step": 0.25},
            "llm.max_tokens": {"type": "int", "low": 16, "high": 1024, "log": True},
            "rag.top_k": {"type": "int", "low": 1, "high": 9, "step": 2},
            "rag.rerank.enabled": {"type": "bool"},
            "rag.rerank.depth": {
                "type": "int",
                "low": 5,
                "high": 50,
                "when": {"rag.rerank.enabled": True},
            },
            "llm.prompt": {"type": "choice", "choices": ["plain", "terse", "careful"]},
        },
        "exclusive": [["nodes.qa_agent.default", "nodes.qa_with_tool_agent.default"]],
        "forbidden": [{"llm.prompt": "terse", "llm.top_p": 1.0}],
    }
)
DRAWS = Draws(SPACE)
GROUP = "nodes.qa_agent.default|nodes.qa_with_tool_agent.default"
seeds = st.integers(0, 2**32 - 1)


def lawful(params):
    values = all(DRAWS.parameters[name].takes(value) for name, value in params.items())
    return values and ("rag.rerank.depth" in params) == params["rag.rerank.enabled"]


@given(seeds)
def test_random_draws_are_lawful(seed):
    params = DRAWS.random(np.random.default_rng(seed))

    assert lawful(params)
    assert GROUP in params


@given(seeds, st.integers(1, 3))
def test_a_mutation_changes_as_many_knobs_as_asked(seed, knobs):
    rng = np.random.default_rng(seed)
    before = DRAWS.random(rng)

    after = DRAWS.mutated(before, rng, knobs)

    changed = [name for name in before if after.get(name, "gone") != before[name]]
    assert lawful(after)
    assert 1 <= len(changed) <= knobs + 1


def test_what_a_space_no_longer_takes_is_drawn_anew():
    params = DRAWS.fitted({"rag.top_k": 99, "llm.prompt": "plain"}, np.random.default_rng(0))

    assert params["rag.top_k"] in {1, 3, 5, 7, 9}
    assert params["llm.prompt"] == "plain"


def test_settings_become_the_proposal_that_would_make_them():
    settings = {
        "llm.temperature": 0.2,
        "rag.top_k": 4,
        "rag.rerank.enabled": False,
        "rag.rerank.depth": 20,
        "nodes.qa_agent.default": False,
        "nodes.qa_with_tool_agent.default": True,
    }

    assert DRAWS.params_of(settings) == {
        GROUP: "nodes.qa_with_tool_agent.default",
        "llm.temperature": 0.2,
        "rag.rerank.enabled": False,
    }


@pytest.mark.parametrize(("top_p", "forbidden"), [(1.0, True), (0.75, False)])
def test_a_forbidden_combination_may_name_what_is_not_proposed(top_p, forbidden):
    assert DRAWS.is_forbidden({"llm.prompt": "terse"}, {"llm.top_p": top_p}) is forbidden
