"""Laws of the house: few rooms, short files, a sentence over each, and doors that open one way."""

import ast
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("engine", "search", "serve_apps", "cluster")
TOP = {*ROOMS, "configs", "tests", "pyproject.toml", "README.md"}
MAY_LIE_THERE = {"Makefile", "LICENSE", "CHANGELOG.md", "constraints.txt", "shared"}
LEFT_BY_TOOLS = {"build", "dist"}
MOST_LINES = 300
LONGER: dict[str, str] = {}
"""Files that may be longer, each with its reason."""
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def named(path):
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
def modules():
    return {named(path): path.read_text(encoding="utf-8") for path in FILES}


def test_a_file_is_one_idea(modules):
    long = {name for name, text in modules.items() if text.count("\n") > MOST_LINES}

    assert long == LONGER.keys()


def test_every_exception_has_its_reason():
    assert all(reason for reason in LONGER.values())


def test_every_file_begins_with_a_sentence_on_what_it_is_for(modules):
    heads = {name: ast.get_docstring(ast.parse(text)) for name, text in modules.items()}

    wordless = [name for name, head in heads.items() if not head]
    firsts = {name: head.split("\n\n")[0] for name, head in heads.items() if head}
    unfinished = [name for name, first in firsts.items() if not first.endswith((".", "?", ":"))]

    assert (wordless, unfinished) == ([], [])


def test_the_top_level_is_fixed():
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    packed = {name for name in found if name.endswith(".egg-info")}

    strangers = found - TOP - MAY_LIE_THERE - LEFT_BY_TOOLS - packed - {"__pycache__"}

    assert strangers == set()
    assert found >= TOP - {"README.md"}


def test_configs_hold_data_only():
    assert [named(path) for path in (ROOT / "configs").rglob("*.py")] == []


@pytest.mark.parametrize("word", ["utils", "helpers", "manager", "handler", "common", "misc"])
def test_no_file_is_named_for_nothing(word):
    assert [named(path) for path in FILES if path.stem in {word, word.rstrip("s")}] == []


def contracts():
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    return tool["importlinter"]["contracts"]


def test_the_order_of_the_rooms_is_under_contract():
    layers = [contract["layers"] for contract in contracts() if contract["type"] == "layers"]

    assert ["cluster", "search | serve_apps", "engine"] in layers


def test_the_engine_is_under_contract_to_need_no_cluster():
    forbidden = {
        module
        for contract in contracts()
        if contract["type"] == "forbidden" and "engine" in contract["source_modules"]
        for module in contract["forbidden_modules"]
    }

    assert forbidden >= {"ray", "optuna", "fastapi", "starlette"}


IMPURE = {"time", "random", "secrets", "os", "datetime", "uuid", "socket", "subprocess", "asyncio"}


@pytest.mark.parametrize("room", ["engine/experiment", "engine/stats"])
def test_decisions_read_no_clock_dice_or_environment(modules, room):
    borrowed = {
        (name, module)
        for name, text in modules.items()
        if name.startswith(room)
        for module in imported(ast.parse(text))
        if module.split(".")[0] in IMPURE or module.startswith("numpy.random")
    }

    assert borrowed == set()


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
