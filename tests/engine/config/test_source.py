import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.source import MOST_BYTES, load, parse
from engine.config.tree import MOST_ALIASES
from engine.config.workflow import Workflow
from engine.errors import ConfigError
from tests.engine.config.examples import WORKFLOW


@pytest.fixture
def path(tmp_path):
    return tmp_path / "workflow.yaml"


def refusal(path):
    with pytest.raises(ConfigError) as refused:
        load(path, Workflow)
    return str(refused.value)


def refusal_or_read(text):
    try:
        parse(text, "f")
    except ConfigError as refused:
        return str(refused)
    return "read"


def test_a_file_that_is_not_there_is_refused(path):
    assert refusal(path) == f"{path}: no such file; check the path"


def test_a_folder_is_refused(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path}: can't be read: Is a directory; check the path"


def test_a_file_of_more_than_a_mebibyte_is_refused_unread(path):
    path.write_text(WORKFLOW + "#" * MOST_BYTES)

    assert refusal(path) == f"{path}: got more than 1048576 bytes; split or shorten the file"


def test_a_file_that_is_not_utf_8_is_refused_at_the_first_wrong_byte(path):
    path.write_bytes(b"workflow: docs\nllm: \xff\n")

    assert refusal(path) == f"{path}:2:6: not UTF-8; save the file as UTF-8"


def test_json_is_read_with_positions_and_may_be_indented_by_tabs(tmp_path):
    path = tmp_path / "workflow.json"
    path.write_text('{\n\t"workflow": "a",\n\t"rag": {"topk": 4}\n}')

    assert refusal(path) == f"{path}:3:10: rag.topk: unknown key; did you mean `rag.top_k`?"


def test_json_escapes_beyond_sixteen_bits_are_one_character(tmp_path):
    path = tmp_path / "workflow.json"
    path.write_text(json.dumps({"workflow": "a", "prompts": {"plain": "\U0001f600"}}))

    assert load(path, Workflow).prompts == {"plain": "\U0001f600"}


def test_half_of_a_surrogate_pair_is_refused():
    with pytest.raises(ConfigError, match=r"^f:1:4: a: half of a surrogate pair"):
        parse('a: "\\ud800"', "f")


def test_an_alias_stands_for_its_values():
    document = parse("a: &x {b: [1, 2]}\nc: *x\nd: *x\n", "f")

    assert document.tree.data == {name: {"b": [1, 2]} for name in "acd"}


@pytest.mark.parametrize("extra", [0, 1])
def test_aliases_are_expanded_up_to_the_cap(extra):
    aliases = ", ".join(["*x"] * (MOST_ALIASES + extra))
    text = f"a: &x [1, 2, 3]\nb: [{aliases}]\n"

    if extra:
        with pytest.raises(ConfigError, match="more than 50 aliases are expanded"):
            parse(text, "f")
    else:
        assert parse(text, "f").tree.data == {"a": [1, 2, 3], "b": [[1, 2, 3]] * MOST_ALIASES}


def test_a_small_file_can_not_fill_memory_through_nested_aliases():
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 12))

    with pytest.raises(ConfigError, match="more than 50 aliases are expanded"):
        parse(f"l0: &l0 [x]\n{levels}\n", "f")


def test_a_deeply_nested_file_is_refused():
    with pytest.raises(ConfigError, match=r"^f:1:1: nested too deeply"):
        parse("a: " + "[" * 600 + "]" * 600, "f")


@pytest.mark.parametrize("figure", [".inf", "-.inf", ".nan", ".NaN", "1e999", "9" * 400])
def test_a_figure_that_is_not_finite_or_too_long_is_refused(figure):
    with pytest.raises(ConfigError, match=r"^f:1:4: a: "):
        parse(f"a: {figure}", "f")


@pytest.mark.parametrize("text", ["%YAML 1.1\n---\na: yes", "%YAML 1.1\n---\na: 1:30"])
def test_what_two_versions_of_yaml_read_differently_is_refused(text):
    with pytest.raises(ConfigError, match=r"^f:3:4: a: .* reads differently"):
        parse(text, "f")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0x1F", 31),
        ("1_000", 1000),
        ("-5", -5),
        ("1e3", 1000.0),
        ("+.5", 0.5),
        ("True", True),
        ("~", None),
        ("yes", "yes"),
        ("'3'", "3"),
        ("2001-12-14", "2001-12-14"),
    ],
)
def test_plain_values_are_read_as_yaml_1_2_means_them(written, value):
    data = parse(f"a: {written}", "f").tree.data

    assert data == {"a": value}
    assert type(data["a"]) is type(value)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_position(text):
    assert re.match(r"^f:[1-9][0-9]*:[1-9][0-9]*: |^read$", refusal_or_read(text))


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=40), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
def test_json_means_the_same_here_as_to_a_json_reader(value):
    assert parse(json.dumps({"a": value}), "f").tree.data == {"a": value}
