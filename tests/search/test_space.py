from itertools import product

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.samplers import RandomSampler

from engine.config.paths import settings_of, with_settings
from engine.config.space import Space
from search.space import changes_of, define, group_name
from tests.search.stage import WORKFLOW

AGENTS = ("nodes.qa_agent.default", "nodes.qa_with_tool_agent.default")
SPACE = Space.model_validate(
    {
        "parameters": {
            "llm.temperature": {"type": "float", "low": 0.0, "high": 1.0},
            "rag.top_k": {"type": "int", "low": 1, "high": 12},
            "rag.chunk_chars": {"type": "choice", "choices": [200, 300, 500]},
            "rag.rerank.depth": {
                "type": "int",
                "low": 10,
                "high": 40,
                "when": {"rag.rerank.enabled": True},
            },
            "rag.rerank.enabled": {"type": "bool"},
            "router.tool_threshold": {
                "type": "int",
                "low": 1,
                "high": 3,
                "when": {"nodes.qa_agent.default": True},
            },
        },
        "exclusive": [AGENTS],
    }
)
GROUP = "nodes.qa_agent.default|nodes.qa_with_tool_agent.default"


def drawn(params: dict[str, object]) -> dict[str, object]:
    """What the space draws when Optuna is made to answer with these values."""
    trial = optuna.trial.FixedTrial(params)
    define(SPACE, trial)
    return trial.params


EVERYTHING = {
    "llm.temperature": 0.5,
    "rag.top_k": 3,
    "rag.chunk_chars": 500,
    "rag.rerank.enabled": True,
    "rag.rerank.depth": 20,
    GROUP: AGENTS[0],
    "router.tool_threshold": 2,
}


def test_a_conditional_parameter_is_absent_when_its_parent_is_off():
    on = drawn(EVERYTHING)
    off = drawn(EVERYTHING | {"rag.rerank.enabled": False})

    assert on["rag.rerank.depth"] == 20
    assert "rag.rerank.depth" not in off


def test_a_parameter_may_wait_for_a_switch_of_an_exclusive_group():
    with_default = drawn(EVERYTHING)
    with_tools = drawn(EVERYTHING | {GROUP: AGENTS[1]})

    assert "router.tool_threshold" in with_default
    assert "router.tool_threshold" not in with_tools


def test_an_exclusive_group_is_one_parameter_whose_choices_are_its_switches():
    assert group_name(AGENTS) == GROUP

    for chosen in AGENTS:
        changes = changes_of(SPACE, {GROUP: chosen})

        assert [path for path in AGENTS if changes[path]] == [chosen]


@given(seed=st.integers(0, 10_000))
def test_whatever_is_drawn_makes_a_possible_workflow_with_exactly_these_settings(seed):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    trial = optuna.create_study(sampler=RandomSampler(seed=seed)).ask()
    define(SPACE, trial)

    changes = changes_of(SPACE, trial.params)
    settings = settings_of(with_settings(WORKFLOW, changes))

    assert {path: settings[path] for path in changes} == changes
    assert changes.keys() - set(AGENTS) == trial.params.keys() - {GROUP}


def test_keys_that_are_no_parameters_change_nothing():
    assert changes_of(SPACE, {"elsewhere": 1, "rag.top_k": 2}) == {"rag.top_k": 2}


@pytest.mark.parametrize(("enabled", "chosen"), list(product((True, False), AGENTS)))
def test_each_proposal_has_one_spelling(enabled, chosen):
    params = EVERYTHING | {"rag.rerank.enabled": enabled, GROUP: chosen}

    assert changes_of(SPACE, drawn(params)) == changes_of(
        SPACE, drawn(dict(reversed(params.items())))
    )
