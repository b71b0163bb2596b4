import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.paths import settings_of, with_settings
from engine.config.workflow import Workflow
from engine.errors import ConfigError
from tests.engine.config.strategies import workflows

BASE = Workflow(workflow="docs-qa")


@settings(deadline=None, max_examples=50)
@given(workflows())
def test_a_workflow_with_its_own_settings_is_itself(workflow):
    assert with_settings(workflow, settings_of(workflow)) == workflow


@settings(deadline=None, max_examples=50)
@given(workflows(), workflows())
def test_settings_carry_over_everything_that_a_variant_may_differ_in(one, other):
    shared = one.model_copy(update={"prompts": other.prompts | one.prompts})

    changed = with_settings(shared, settings_of(other))

    assert settings_of(changed) == settings_of(other)
    assert (changed.workflow, changed.deploy) == (one.workflow, one.deploy)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 50))
def test_one_change_changes_one_setting(top_k):
    changed = settings_of(with_settings(BASE, {"rag.top_k": top_k}))

    assert changed == settings_of(BASE) | {"rag.top_k": top_k}


def test_settings_are_flat_and_a_list_of_texts_is_one_value():
    settings = settings_of(with_settings(BASE, {"router.tool_keywords": ("sum", "plus")}))

    assert settings["router.tool_keywords"] == ("sum", "plus")
    assert settings["rag.rerank.enabled"] is False
    assert settings["nodes.qa_with_tool_agent.default"] is False
    assert {path.partition(".")[0] for path in settings} == {
        *("llm", "rag", "router", "nodes", "context", "caching", "resilience")
    }


def test_the_steps_of_a_graph_have_settings_too():
    step = {"type": "model", "say": "{{ input.question }}", "tier": "cheap"}
    graph = {"nodes": {"answer": step}, "output": "answer.text"}
    workflow = Workflow.model_validate({"workflow": "w", "graph": graph})

    settings = settings_of(with_settings(workflow, {"graph.nodes.answer.tier": "strong"}))

    assert settings["graph.nodes.answer.tier"] == "strong"
    assert "graph.nodes.answer.when" not in settings


def test_a_whole_number_for_a_real_one_gives_the_same_settings():
    whole = settings_of(with_settings(BASE, {"llm.temperature": 1}))

    assert type(whole["llm.temperature"]) is float


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"rag.topk": 4},
            "rag.topk: unknown parameter; did you mean `rag.top_k`?",
        ),
        (
            {"deploy.slots": 9},
            "deploy.slots: unknown parameter; known: ",
        ),
        ({"rag.top_k": 4.0}, "rag.top_k: got 4.0; write a whole number from 1 to 50"),
        ({"rag.top_k": "4"}, "rag.top_k: got the text '4'; write a whole number from 1 to 50"),
        ({"llm.temperature": float("nan")}, "llm.temperature: got NaN; write a number from 0 to 2"),
        (
            {"llm.prompt": "terse"},
            "llm.prompt: got 'terse', which `prompts` does not hold; known: `plain`",
        ),
        (
            {"nodes.qa_agent.default": False},
            "nodes: got none as the default; write `default: true` for exactly one agent",
        ),
    ],
)
def test_an_impossible_change_is_refused_by_its_path(changes, message):
    with pytest.raises(ConfigError) as refused:
        with_settings(BASE, changes)

    assert str(refused.value).startswith(message)
