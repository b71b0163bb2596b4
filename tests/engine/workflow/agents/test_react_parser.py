import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from engine.workflow.agents.react_parser import Act, Answer, Unclear, read
from engine.workflow.agents.react_tools import signatures


def tool(name, required=(), **types):
    properties = {parameter: {"type": kind} for parameter, kind in types.items()}
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS = signatures(
    [
        tool("search", ["query"], query="string", limit="integer"),
        tool("calculator", ["expression"], expression="string"),
        tool("weather", ["city"], days="integer", metric="boolean", city="string"),
        tool("save_note", ["title", "body"], title="string", body="string"),
        tool("run_sql", ["query"], query="string", parameters="array"),
        tool("clock"),
    ]
)
OUTPUTS = YAML(typ="safe").load(Path(__file__).with_name("react_outputs.yaml"))


def test_there_is_a_wide_choice_of_outputs():
    assert len(OUTPUTS) >= 70
    assert len({output["of"] for output in OUTPUTS}) == len(OUTPUTS)


@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: output["of"])
def test_what_models_write_is_read_as_they_mean_it(output):
    reading = read(output["says"], TOOLS)

    if "act" in output:
        assert reading == Act(*output["act"])
    elif "answer" in output:
        assert reading == Answer(output["answer"])
    else:
        assert isinstance(reading, Unclear)
        assert output["unclear"] in reading.why


def test_a_name_that_is_as_near_to_two_tools_means_neither():
    tools = signatures([tool("read_a"), tool("read_b")])

    assert isinstance(read("Action: read_c", tools), Unclear)
    assert read("Action: read_b", tools) == Act("read_b", {})


def test_rambling_is_no_answer():
    reading = read("and then the tide, which is to say the sea, " * 2_500, TOOLS)

    assert isinstance(reading, Unclear)


PIECES = st.sampled_from(
    [
        *("Thought:", "Action:", "Action Input:", "Observation:", "Final Answer:", "**", "<think>"),
        *("search", "(", ")", "{", "}", "[", "]", '"', "'", "\\", ",", ":", "=", "\n", " ", "```"),
        *("<action>", "</action>", "<parameter name=", "“", "”", "\\ud83d", "/*", "//", "1", "é"),
    ]
)
ANY_TEXT = st.text() | st.lists(PIECES, max_size=60).map("".join)


@given(ANY_TEXT)
@example("Action: search\nAction Input: " + "[" * 5_000)
@example("Action: search\nAction Input: {" + '"a":{' * 5_000)
@example("Action: search(" + "(" * 5_000)
def test_any_text_has_a_reading(text):
    reading = read(text, TOOLS)

    assert isinstance(reading, Act | Answer | Unclear)
    if isinstance(reading, Act):
        assert reading.tool in TOOLS
    if isinstance(reading, Answer):
        assert reading.text


@given(ANY_TEXT)
def test_nothing_after_an_observation_counts(text):
    before = 'Action: search\nAction Input: {"query": "tides"}\nObservation: '

    assert read(before + text, TOOLS) == Act("search", {"query": "tides"})


@settings(deadline=None, max_examples=30)
@given(st.lists(PIECES, min_size=1, max_size=4).map("".join))
@example("Action: search\nAction Input: ")
@example(" \t")
@example('"')
@example("`")
def test_no_text_makes_the_parser_ponder(piece):
    text = piece * (200_000 // len(piece))
    began = time.thread_time()

    read(text, TOOLS)

    # in proportion to its length, it takes a tenth of this; by a square law, minutes
    assert time.thread_time() - began < 5.0
