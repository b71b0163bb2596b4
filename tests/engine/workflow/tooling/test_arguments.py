import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.failure import ToolError
from engine.workflow.tooling.arguments import read

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), plain, max_size=4)


@given(objects)
def test_json_is_read_as_json(value):
    assert read(json.dumps(value)) == value


@given(objects)
def test_json_in_fences_or_encoded_twice_is_read_as_if_it_were_bare(value):
    text = json.dumps(value)

    assert read(f"```json\n{text}\n```") == value
    assert read(json.dumps(text)) == value


@given(st.text(max_size=200))
def test_any_text_gives_a_mapping_or_a_refusal(text):
    try:
        value = read(text)
    except ToolError:
        return
    assert isinstance(value, dict)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, 2,], "b": "x,}",}',
        "{'a': [1, 2], 'b': 'x,}'}",
        '```\n{"a": [1, 2], "b": "x,}",\n}\n```',
        '"{\\"a\\": [1, 2], \\"b\\": \\"x,}\\"}"',
    ],
)
def test_the_known_near_misses_are_mended(text):
    assert read(text) == {"a": [1, 2], "b": "x,}"}


def test_a_text_with_a_line_break_inside_is_mended():
    assert read('{"a": "one\ntwo"}') == {"a": "one\ntwo"}


def test_no_arguments_are_an_empty_object():
    assert read("  ") == {}


@pytest.mark.parametrize("text", ["[1]", "3", '"x"', "{a: 1}", '{"a": 1', "[" * 5_000, "{{}}"])
def test_what_holds_no_object_is_refused(text):
    with pytest.raises(ToolError, match="arguments"):
        read(text)
