import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.agents.loose_json import LooseJsonError, arguments_at, first_object, value_at

SCALARS = st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.text()
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
DOCUMENTS = st.recursive(
    SCALARS | NUMBERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(DOCUMENTS, st.sampled_from([None, 2]), st.booleans())
def test_every_json_document_reads_as_the_json_module_reads_it(document, indent, escaped):
    text = json.dumps(document, indent=indent, ensure_ascii=escaped)

    assert value_at(text).value == document


@given(st.dictionaries(st.text(), st.integers() | st.lists(st.integers(), max_size=3), min_size=1))
def test_missing_brackets_at_the_end_are_added(document):
    text = json.dumps(document).rstrip("]}")

    assert value_at(text).value == document


@given(st.text(st.characters(exclude_characters="\"'`“”‘’«»„\\"), min_size=1))  # noqa: RUF001
def test_a_quotation_that_is_cut_is_refused(text):
    with pytest.raises(LooseJsonError):
        value_at('{"a": "' + text)


@given(DOCUMENTS.filter(lambda document: isinstance(document, dict)))
def test_an_object_is_found_among_words(document):
    text = f"Here it is:\n```json\n{json.dumps(document)}\n```\nThat's all."

    assert first_object(text) == document


@given(st.text())
def test_any_text_is_read_or_refused(text):
    for start in "{", "[", '"', "(":
        with contextlib.suppress(LooseJsonError):
            value, end = value_at(start + text)
            assert isinstance(value, dict | list | tuple | str | int | float | None)
            assert 0 < end <= len(start + text)


def test_a_call_passes_by_place_and_by_name():
    passed = arguments_at("('a', [1, 2], limit=5, deep={'x': None})", 0)

    assert passed.positional == ["a", [1, 2]]
    assert passed.named == {"limit": 5, "deep": {"x": None}}


def test_half_a_character_stands_for_nothing():
    assert value_at(r'"\ud83d\ude00 \ud83d"').value == "\U0001f600 \ufffd"
