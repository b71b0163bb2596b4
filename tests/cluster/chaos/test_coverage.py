import ast
from functools import cache
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from cluster.chaos.plan import ACTIONS, CI

ROOT = Path(__file__).parents[3]
TABLE = YAML(typ="safe").load(Path(__file__).with_name("coverage.yaml").read_text())
ASKED = {*range(1, 6), *range(7, 17), *range(19, 32), 34}
NAMED = sorted({name for row in TABLE.values() for name in row.get("tests", ())})


@cache
def functions_in(path):
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions)}


def test_every_fault_that_must_be_proved_has_its_row():
    assert set(TABLE) >= ASKED
    assert all(row["what"] for row in TABLE.values())


def test_every_row_says_where_it_is_proved_or_that_it_is_not():
    bare = [
        number
        for number, row in TABLE.items()
        if not (row.get("actions") or row.get("tests") or row.get("to_come"))
    ]

    assert bare == []


@pytest.mark.parametrize("named", NAMED)
def test_a_named_test_exists(named):
    path, _, name = named.partition("::")

    assert name in functions_in(path)


def test_every_action_has_its_row_and_every_named_action_exists():
    named = {action for row in TABLE.values() for action in row.get("actions", ())}

    assert named == {action.name for action in ACTIONS}


def test_an_action_stands_in_the_row_of_its_fault():
    strayed = [
        action.name for action in ACTIONS if action.name not in TABLE[action.fault]["actions"]
    ]

    assert strayed == []


def test_the_subset_for_tests_names_faults_with_actions():
    assert set(CI) <= {action.fault for action in ACTIONS}
