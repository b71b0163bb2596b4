"""A client's tools are for the step whose text is the answer, and what can't be is said early."""

import pytest

from engine.config.workflow import Workflow

STEP = {"type": "model", "say": "{{ input.question }}", "client_tools": True}
OTHER = {"type": "text", "text": "{{ answer.text }}!"}


def workflow(step=None, output="answer.text", **settings):
    nodes = {"answer": STEP | (step or {}), "other": OTHER}
    graph = {"input": {"question": "text"}, "nodes": nodes, "output": output}
    return Workflow.model_validate({"workflow": "echo", "graph": graph} | settings)


def test_the_step_that_answers_may_hand_tools_on():
    assert workflow().graph.nodes["answer"].client_tools


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"output": "other.text"}, "the graph's output isn't this step's text"),
        ({"output": "answer.model"}, "the graph's output isn't this step's text"),
        ({"step": {"fields": {"score": "number"}}}, "take them out"),
        ({"durable": True}, "write `durable: false`"),
    ],
)
def test_a_step_that_could_not_hand_them_on_is_refused(broken, why):
    with pytest.raises(ValueError, match=why):
        workflow(**broken)


def test_a_step_within_a_step_does_not_answer():
    body = {"input": {"question": "text"}, "nodes": {"answer": STEP}, "output": "answer.text"}
    inner = {"type": "graph", "given": {"question": "input.question"}, "body": body}
    graph = {"input": {"question": "text"}, "nodes": {"answer": inner}, "output": "answer.value"}

    with pytest.raises(ValueError, match="isn't this step's text"):
        Workflow.model_validate({"workflow": "echo", "graph": graph})
