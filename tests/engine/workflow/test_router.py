import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.workflow import Node, Nodes, Router, ToolAgent
from engine.workflow.router import clues, intent, route

QA = Nodes()
TOOLS = Nodes(qa_agent=Node(), qa_with_tool_agent=ToolAgent(default=True))


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What is 37 * 41 + 12?", "arithmetic"),
        ("How much is 15 percent of 2480?", "arithmetic"),
        ("How do I sort a list?", "how-to"),
        ("How does a list differ from a tuple?", "comparison"),
        ("What is a descriptor?", "definition"),
        ("Tell me about slices.", "other"),
    ],
)
def test_the_intent_is_read_from_the_words(question, kind):
    assert intent(question) == kind


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ("Compute the sum of 333, 4444 and 55,555.", 5),
        ("What is a summary?", 0),
        ("What does x1 hold?", 0),
    ],
)
def test_keywords_and_numbers_are_counted_as_whole_words(question, count):
    assert clues(question, Router(tool_keywords=("compute", "sum"))) == count


@given(st.text(max_size=60), st.integers(1, 9))
def test_a_higher_threshold_never_sends_more_to_the_tool_agent(question, threshold):
    low = Router(tool_keywords=("a", "b"), tool_threshold=threshold)
    high = Router(tool_keywords=("a", "b"), tool_threshold=threshold + 1)

    if route(question, high, QA) == "qa_with_tool_agent":
        assert route(question, low, QA) == "qa_with_tool_agent"


def test_what_the_router_does_not_know_goes_to_the_default():
    assert route("What is a slice?", Router(), QA) == "qa_agent"
    assert route("What is a slice?", Router(), TOOLS) == "qa_with_tool_agent"


def test_a_disabled_tool_agent_gets_nothing():
    nodes = Nodes(qa_with_tool_agent=ToolAgent(enabled=False))

    assert route("1 + 2 + 3", Router(), nodes) == "qa_agent"


def test_a_long_text_is_not_read_to_its_end():
    assert intent("a" * 10_000 + " what is a list?") == "other"
    assert intent("What is " + "a" * 10_000) == "definition"
