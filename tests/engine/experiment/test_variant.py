"""Laws of variants: named by content, whoever proposed them and wherever they were kept."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.config.workflow import Workflow
from engine.errors import ConfigError
from engine.experiment.variant import Variant, configured, copy_of, differences, variant_of

calm = settings(deadline=None)

WORKFLOW = Workflow(workflow="docs")
names = st.text(st.characters(categories=["Ll"]), min_size=1, max_size=8)
setting = (
    st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10)
    | st.lists(st.text(max_size=5), max_size=3).map(tuple)
)
settings = st.dictionaries(names, setting, min_size=1, max_size=5)


@calm
@given(settings, st.randoms(use_true_random=False))
def test_the_same_settings_have_the_same_name_in_any_order(given_, dice):
    shuffled = list(given_.items())
    dice.shuffle(shuffled)

    assert Variant.of(dict(shuffled)) == Variant.of(given_)


@calm
@given(settings, settings)
def test_other_settings_have_another_name(a, b):
    # repr tells True from 1 and 1 from 1.0, which == does not.
    same = repr(sorted(a.items())) == repr(sorted(b.items()))

    assert (Variant.of(a).hash == Variant.of(b).hash) == same


@calm
@given(settings)
def test_a_variant_keeps_its_name_in_the_ledger(given_):
    variant = Variant.of(given_)

    again = Variant.model_validate_json(variant.model_dump_json())

    assert again == variant
    assert Variant.of(again.settings).hash == variant.hash


def test_a_name_is_twelve_hex_digits():
    assert Variant.of({"llm.temperature": 0.2}).hash == "16b58f9fd31f"


def test_a_change_makes_another_variant_and_taking_it_back_the_same():
    base = variant_of(WORKFLOW)

    warm = variant_of(WORKFLOW, {"llm.temperature": 0.9})

    assert warm.hash != base.hash
    assert variant_of(configured(WORKFLOW, warm), {"llm.temperature": 0.2}) == base


def test_a_workflow_set_as_a_variant_says_is_that_variant():
    changes = {"rag.top_k": 7, "rag.rerank.enabled": True, "router.tool_keywords": ("sum",)}
    variant = variant_of(WORKFLOW, changes)

    set_up = configured(WORKFLOW, variant)

    assert (set_up.rag.top_k, set_up.rag.rerank.enabled) == (7, True)
    assert variant_of(set_up) == variant


@pytest.mark.parametrize(
    "changes",
    [{"llm.temprature": 0.3}, {"llm.temperature": 9.0}, {"nodes.qa_agent.default": False}],
)
def test_an_impossible_change_is_refused(changes):
    with pytest.raises(ConfigError):
        variant_of(WORKFLOW, changes)


def test_a_copy_counts_as_another_variant_but_behaves_the_same():
    base = variant_of(WORKFLOW)

    first, second = copy_of(base, 1), copy_of(base, 2)

    assert len({base.hash, first.hash, second.hash}) == 3
    assert configured(WORKFLOW, first) == configured(WORKFLOW, base) == WORKFLOW


def test_differences_name_both_settings_and_absent_ones():
    before = Variant.of({"a": 1, "b": 2, "c": 3})
    after = Variant.of({"a": 1, "b": 5, "d": 4})

    assert differences(before, after) == {"b": (2, 5), "c": (3, None), "d": (None, 4)}
    assert differences(before, before) == {}


def test_a_variant_never_changes():
    variant = variant_of(WORKFLOW)

    with pytest.raises(ValidationError, match="frozen"):
        variant.hash = "other"


def test_another_prompt_or_step_makes_another_variant():
    other = WORKFLOW.model_copy(update={"prompts": {"plain": "Be kind."}})
    step = {"type": "text", "text": "{{ input.question }}"}
    graph = {"nodes": {"a": step}, "output": "a.text"}
    steps = Workflow.model_validate({"workflow": "docs", "graph": graph})

    assert len({variant_of(one).hash for one in (WORKFLOW, other, steps)}) == 3


def test_where_a_workflow_runs_is_no_part_of_its_variants():
    elsewhere = Workflow.model_validate({"workflow": "docs", "deploy": {"slots": 9}})

    assert variant_of(elsewhere) == variant_of(WORKFLOW)


def test_a_variant_is_configured_from_the_file_that_it_was_made_of():
    variant = variant_of(WORKFLOW, {"rag.top_k": 7})

    assert configured(WORKFLOW, variant).rag.top_k == 7
