"""What a request would only have found out on its way is said when the graph is loaded."""

import pytest

from engine.config.graph.check import graph_problems
from engine.config.graph.nested import Graph

TEXT = {"type": "text", "text": "x"}


def problems(nodes, output):
    graph = Graph.model_validate({"nodes": nodes, "output": output})
    return [str(problem) for problem in graph_problems(graph)]


def test_an_undo_that_reads_what_its_step_never_gives_is_refused():
    undo = {"tool": "refund", "arguments": {"receipt": "self.receipt"}}
    nodes = {"pay": {"type": "tool", "tool": "pay", "undo": undo}}

    assert problems(nodes, "pay.text") == [
        "nodes.pay.undo.arguments.receipt: got `self.receipt`, but step `self` gives no `receipt`; "
        "did you mean `self.text`?"
    ]


def test_an_undo_may_read_what_its_step_gives():
    undo = {
        "tool": "refund",
        "arguments": {"a": "self.text", "b": "self.id", "c": "input.question"},
    }
    nodes = {"pay": {"type": "tool", "tool": "pay", "fields": {"id": "text"}, "undo": undo}}

    assert problems(nodes, "pay.text") == []


def test_what_falls_back_to_a_text_has_nothing_else_to_read():
    model = {"type": "model", "say": "x", "fields": {"score": "number"}}
    nodes = {
        "rate": model | {"on_error": "fallback", "instead": "none"},
        "out": {"type": "text", "text": "{{ rate.text }} {{ rate.score }}"},
    }

    assert problems(nodes, "out.text") == [
        "nodes.out.text: got `rate.score`, but step `rate` may fall back to a text alone; "
        "name `rate.text`"
    ]


@pytest.mark.parametrize("name", ["text", "model"])
def test_a_field_may_not_hide_what_every_answer_has(name):
    nodes = {"rate": {"type": "model", "say": "x", "fields": {name: "number"}}}

    assert problems(nodes, "rate.text") == [
        f"nodes.rate.fields.{name}: every step of type `model` gives `{name}` already; "
        "choose another name"
    ]
