import pytest
from pydantic import TypeAdapter, ValidationError

from engine.config.fit import check_space
from engine.config.parameter import Parameter
from engine.config.space import Space
from engine.config.workflow import Workflow
from engine.errors import ConfigError

parameter = TypeAdapter(Parameter).validate_python
SWITCH = {"type": "bool"}


def space_of(parameters, **rest):
    return Space(parameters={path: parameter(one) for path, one in parameters.items()}, **rest)


CHAIN = space_of(
    {
        "c": {"type": "int", "low": 0, "high": 9, "when": {"b": True}},
        "b": {"type": "bool", "when": {"a": "on"}},
        "a": {"type": "choice", "choices": ["on", "off"]},
    }
)


def test_parents_come_before_the_parameters_that_wait_for_them():
    assert CHAIN.ordered() == ("a", "b", "c")


@pytest.mark.parametrize(
    ("settings", "searched"),
    [
        ({"a": "on", "b": True}, True),
        ({"a": "on", "b": False}, False),
        ({"a": "off", "b": True}, False),
        ({"a": "on", "b": 1}, False),
        ({}, False),
    ],
)
def test_a_parameter_is_searched_only_while_all_above_it_are(settings, searched):
    assert CHAIN.searches("c", settings) is searched


def test_a_combination_is_forbidden_only_as_a_whole():
    space = space_of({"a": SWITCH, "b": SWITCH}, forbidden=({"a": True, "b": False},))

    assert space.forbids({"a": True, "b": False, "c": 3})
    assert not space.forbids({"a": True, "b": True})
    assert not space.forbids({"a": 1, "b": 0})


@pytest.mark.parametrize(
    ("one", "inside", "outside"),
    [
        ({"type": "float", "low": 0, "high": 1, "step": 0.1}, [0, 0.3, 1.0], [0.25, 1.1, True]),
        ({"type": "int", "low": 1, "high": 9, "step": 4}, [1, 5, 9], [3, 5.0, 13, True]),
        ({"type": "choice", "choices": [1, "a"]}, [1, "a"], [True, "b"]),
        (SWITCH, [True, False], [0, 1, "true"]),
    ],
)
def test_a_parameter_takes_what_a_search_could_propose(one, inside, outside):
    assert all(parameter(one).takes(value) for value in inside)
    assert not any(parameter(one).takes(value) for value in outside)


def test_a_group_switch_may_be_a_parent():
    space = space_of({"c": {"type": "bool", "when": {"a": True}}}, exclusive=(("a", "b"),))

    assert space.searches("c", {"a": True, "b": False})
    assert space.ordered() == ("c",)


def test_a_space_of_nothing_is_refused():
    with pytest.raises(ValidationError, match="nothing to search"):
        Space(parameters={})


def test_a_space_is_checked_against_a_workflow_without_a_file():
    space = space_of({"rag.topk": SWITCH})

    with pytest.raises(ConfigError, match=r"^space\.rag\.topk: no parameter of the workflow"):
        check_space(space, Workflow(workflow="a"))
