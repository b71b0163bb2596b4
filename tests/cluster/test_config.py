"""Files are checked before anything is deployed from them."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.main import app

HOME = Path(__file__).resolve().parents[2]


def called(*arguments: str):
    return CliRunner().invoke(app, ["config", *arguments])


@pytest.mark.parametrize("kind", ["workflow", "experiment"])
def test_a_schema_is_json(kind):
    result = called("schema", kind)

    assert result.exit_code == 0
    assert json.loads(result.stdout)["additionalProperties"] is False


def test_without_a_kind_every_schema_is_printed():
    assert set(json.loads(called("schema").stdout)) == {"workflow", "experiment"}


def test_a_schema_can_go_to_a_file(tmp_path):
    result = called("schema", "workflow", "--out", str(tmp_path / "schema.json"))

    assert result.stdout == ""
    assert json.loads((tmp_path / "schema.json").read_text())["type"] == "object"


def test_an_unknown_kind_is_refused():
    assert called("schema", "workflows").exit_code == 2


@pytest.mark.parametrize("name", ["workflow", "experiment"])
def test_the_demonstrations_files_are_correct(name):
    result = called("check", str(HOME / "configs" / "demo" / f"{name}.yaml"))

    assert result.exit_code == 0
    assert f"a correct {name}" in result.stdout


def test_a_mistake_is_named_with_its_line_and_what_was_meant(tmp_path):
    file = tmp_path / "workflow.yaml"
    file.write_text("workflow: docs\nllm:\n  temprature: 0.5\n")

    result = called("check", str(file))

    assert result.exit_code == 2
    assert f"{file}:3:3" in result.stderr
    assert "temperature" in result.stderr


def test_a_mistake_as_data_is_on_standard_output(tmp_path):
    file = tmp_path / "workflow.yaml"
    file.write_text("workflow: docs\nllm: {temperature: 9}\n")

    result = called("check", str(file), "--json")

    assert result.exit_code == 2
    assert result.stderr == ""
    checked = json.loads(result.stdout)
    assert (checked["ok"], checked["kind"]) == (False, "workflow")
    assert checked["problems"]


def test_a_file_that_is_not_there_is_said():
    result = called("check", "nowhere.yaml")

    assert result.exit_code == 2
    assert "no such file" in result.stderr
