import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.agents.plan import planned

GOAL = "Answer the request."


def text_of(*tasks):
    return json.dumps({"tasks": [{"id": id, "goal": id, "needs": needs} for id, needs in tasks]})


def ids(text, most=6):
    return [task.id for task in planned(text, GOAL, most).tasks]


def test_a_task_stands_behind_all_that_it_needs():
    assert ids(text_of(("c", ["a", "b"]), ("b", ["a"]), ("a", []))) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text",
    [
        "I would first search.",
        "",
        '{"tasks": []}',
        '{"tasks": "search"}',
        '{"tasks": [1]}',
        '{"tasks": ["search"]}',
        '{"tasks": [{"id": "a"}]}',
        '{"tasks": [{"id": "a", "goal": "g", "needs": 3}]}',
        '[{"id": "a", "goal": "cut',
        text_of(("a", ["b"]), ("b", ["a"])),
        text_of(("a", ["a"])),
        text_of(("a", ["z"])),
        text_of(("a", []), ("a", [])),
        text_of(*((str(n), []) for n in range(7))),
    ],
)
def test_a_plan_that_cannot_be_done_is_one_task(text):
    plan = planned(text, GOAL, 6)

    assert [(task.id, task.goal) for task in plan.tasks] == [("all", GOAL)]


@pytest.mark.parametrize(
    "text",
    [
        "Here is the plan:\n```json\n" + text_of(("a", []), ("b", ["a"])) + "\n```",
        '[{"id": "a", "goal": "g"}, {"id": "b", "goal": "h", "needs": "a"}]',
        "{'tasks': [{'id': 'a', 'goal': 'g',}, {'id': 'b', 'goal': 'h', 'needs': ['a']}]",
    ],
)
def test_a_plan_is_read_kindly(text):
    assert ids(text) == ["a", "b"]


def test_what_reads_a_result_is_behind_it():
    plan = planned(text_of(("a", []), ("b", ["a"]), ("c", ["b"]), ("d", [])), GOAL, 6)

    assert plan.behind(frozenset({"a"})) == {"a", "b", "c"}


@given(st.text())
def test_any_text_gives_a_plan(text):
    assert planned(text, GOAL, 6).tasks
    assert planned('{"tasks": [' + text, GOAL, 6).tasks
