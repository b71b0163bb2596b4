"""Laws of the command line: quick help, one list of commands, one exit code a kind of error."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.main import COMMANDS, Deferred, app, exit_code_of
from engine.errors import (
    ClusterError,
    ConfigError,
    EvidenceMismatchError,
    LedgerCorruptError,
    NotFoundError,
    UnmeasuredError,
)

FOLDER = Path(__file__).resolve().parents[2] / "cluster" / "commands"
OWN = ("status", "observe", "explain", "report", "verify", "ledger", "promote", "rollback",
       "doctor", "config")  # fmt: skip
GROUPS = {"config", "chaos"}
"""Commands that hold others."""


def called(*arguments: str, stdin: str | None = None):
    return CliRunner().invoke(app, list(arguments), input=stdin)


def docstring_of(name: str) -> str:
    named = COMMANDS[name]
    tree = ast.parse((FOLDER / f"{named.module}.py").read_text())
    functions = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name == named.function
    ]
    return ast.get_docstring(functions[0]) or ""


def test_help_is_quick_and_imports_neither_ray_nor_torch():
    script = (
        "import sys; from typer.testing import CliRunner; from cluster.main import app; "
        "print(CliRunner().invoke(app, ['--help']).output); "
        "print(sorted({'ray', 'torch', 'polars', 'optuna', 'sqlalchemy'} & sys.modules.keys()))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=FOLDER.parents[1],
    )

    assert done.stdout.strip().endswith("[]")
    assert "rollback" in done.stdout


def test_help_takes_less_than_half_a_second_of_work():
    began = time.process_time()

    result = called("--help")

    assert result.exit_code == 0
    assert time.process_time() - began < 0.5


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - GROUPS))
def test_the_list_of_commands_says_what_each_command_says_of_itself(name):
    assert docstring_of(name).splitlines()[0] == COMMANDS[name].summary


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - GROUPS))
def test_every_command_has_an_example(name):
    examples = [line for line in docstring_of(name).splitlines() if line.startswith("Example:")]

    assert examples
    assert all(line.startswith(f"Example: trimtab {name}") for line in examples)


@pytest.mark.parametrize("name", [*OWN, "chaos"])
def test_help_of_a_command_ends_with_its_example(name):
    result = called(name, "--help")

    assert result.exit_code == 0
    assert f"Example: trimtab {name}" in result.output.splitlines()[-1]


@pytest.mark.parametrize("name", [name for name in OWN if name != "config"])
def test_every_command_can_print_json_and_takes_a_workspace(name):
    output = called(name, "--help").output

    assert "--json" in output
    assert "--workspace" in output
    assert "-w" in output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EvidenceMismatchError("x"), 1),
        (LedgerCorruptError(3, "x"), 1),
        (UnmeasuredError("x"), 1),
        (ConfigError("x"), 2),
        (ClusterError("x"), 3),
        (NotFoundError("x"), 4),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error, code):
    assert exit_code_of(error) == code


@pytest.mark.parametrize(
    "name", ["status", "observe", "explain", "report", "verify", "ledger", "rollback"]
)
def test_a_folder_that_is_no_workspace_is_said_in_one_line_and_left_as_it_is(name, tmp_path):
    result = called(name, "-w", str(tmp_path))

    assert result.exit_code == 4
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {tmp_path}: no workspace;")
    assert result.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_command_is_a_usage_error():
    result = called("promot")

    assert result.exit_code == 2
    assert "promot" in result.stderr


def test_a_missing_option_is_a_usage_error(tmp_path):
    result = called("promote", "abcd", "-w", str(tmp_path))

    assert result.exit_code == 2
    assert "--reason" in result.stderr


def test_without_arguments_the_commands_are_listed():
    result = called()

    assert all(name in result.output for name in COMMANDS)


def test_the_version_is_printed():
    result = called("--version")

    assert result.exit_code == 0
    assert result.stdout.startswith("trimtab")


def test_a_command_is_imported_only_when_it_is_called():
    deferred = Deferred("nowhere", COMMANDS["verify"]._replace(module="nowhere"))

    assert deferred.help == COMMANDS["verify"].summary
    with pytest.raises(ModuleNotFoundError):
        deferred.loaded()
