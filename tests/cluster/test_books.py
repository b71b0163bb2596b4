"""The commands that read the two books: data on one stream, talk on the other."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.commands.observe import seconds_of
from cluster.main import app
from engine.errors import ConfigError
from engine.experiment.entries import Installed
from tests.search.played import EXPERIMENT, played
from tests.search.stage import WORKFLOW, Stage

HOME = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return played(tmp_path_factory.mktemp("books"))


def called(root: Path, *arguments: str):
    return CliRunner().invoke(app, [*arguments, "-w", str(root)], env={"COLUMNS": "200"})


def data(root: Path, *arguments: str):
    result = called(root, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_status_shows_the_baseline_and_every_open_window(root):
    status = data(root, "status")

    (workflow,) = status["workflows"]
    (window,) = workflow["windows"]
    assert status["cluster"] is None
    assert workflow["baseline_share"] + window["share"] == pytest.approx(1.0)
    assert workflow["holdback"] == window["id"]
    assert workflow["previous"] == window["candidate"]
    assert window["figures"]["lift"] > 0.0
    assert workflow["experiments"][0]["promoted"] == [workflow["baseline"]]


def test_status_tells_what_promotions_are_worth_to_those_held_out(tmp_path):
    stage = Stage(tmp_path)
    config = WORKFLOW.model_copy(update={"holdout": 0.1}).model_dump(mode="json")
    baseline = stage.workflow.variants[stage.baseline]
    stage.append(Installed(workflow="docs", baseline=baseline, workflow_config=config))
    stage.serve(1)
    stage.close()

    (workflow,) = data(tmp_path, "status")["workflows"]
    said = called(tmp_path, "status").stdout

    assert workflow["holdout"]["variant"] == baseline.hash
    assert workflow["holdout"]["figures"]["candidate_units"] is not None
    assert f"held out: {baseline.hash} keeps 10.0 %" in said


def test_status_of_an_unknown_workflow_is_not_found(root):
    result = called(root, "status", "other")

    assert result.exit_code == 4
    assert "installed: docs" in result.stderr


def test_a_dead_cluster_is_said_and_the_books_are_still_shown(tmp_path):
    root = played(tmp_path)
    recorded = {
        "address": "127.0.0.1:1",
        "url": "http://127.0.0.1:1",
        "pid": 2**22 - 1,
        "profile": "plain",
    }
    (root / "cluster.json").write_text(json.dumps(recorded))

    status = data(root, "status")

    assert status["cluster"] is None
    assert "dead" in status["unreachable"]
    assert status["workflows"][0]["windows"]


def test_talk_goes_to_standard_error(root):
    result = called(root, "status")

    assert "open windows" in result.stdout
    assert "nothing is up" in result.stderr
    assert "nothing is up" not in result.stdout


def test_explain_tells_what_was_decided(root):
    result = called(root, "explain", EXPERIMENT)

    assert result.exit_code == 0
    assert "is the baseline of docs now" in result.stdout
    assert "Changes: llm.temperature: 0.2 → 0.5; rag.top_k: 4 → 8." in result.stdout


def test_explain_as_data_has_each_change_before_and_after(root):
    promoted = next(one for one in data(root, "explain") if one["kind"] == "Promoted")

    assert promoted["changes"]["rag.top_k"] == {"before": 4, "after": 8}


def test_explain_of_an_unknown_name_is_not_found(root):
    assert called(root, "explain", "nothing").exit_code == 4


def test_the_ledger_is_one_json_object_a_line(root):
    result = called(root, "ledger", "--json")

    entries = [json.loads(line) for line in result.stdout.splitlines()]
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[0]["kind"] == "Installed"


def test_the_ledger_can_be_narrowed(root):
    entries = called(root, "ledger", "--json", "--after", "2", "--kind", "RampStepped").stdout

    kinds = {json.loads(line)["kind"] for line in entries.splitlines()}
    assert kinds == {"RampStepped"}


def test_a_kind_that_no_entry_has_is_refused_with_the_kinds(root):
    result = called(root, "ledger", "--kind", "Promote")

    assert result.exit_code == 2
    assert "Promoted" in result.stderr


def test_following_the_ledger_goes_on_until_it_is_interrupted(root):
    command = [
        sys.executable,
        "-m",
        "cluster.main",
        "ledger",
        "--follow",
        "--json",
        "-w",
        str(root),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HOME) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())

        assert first["seq"] == 1
        assert process.poll() is None
        process.send_signal(2)
        process.communicate(timeout=20)

        assert process.returncode == 130


def test_books_that_tell_one_story_verify(root):
    assert data(root, "verify")["holds"] is True


def test_an_altered_entry_fails_and_is_named(tmp_path):
    root = played(tmp_path)
    with sqlite3.connect(root / "ledger.db") as connection:
        connection.execute("DROP TRIGGER ledger_never_update")
        connection.execute("UPDATE ledger SET actor = 'nobody' WHERE seq = 5")
    connection.close()

    result = called(root, "verify")

    assert result.exit_code == 1
    assert "entry 5" in result.stderr
    assert called(root, "verify", "--json").exit_code == 1
    assert json.loads(called(root, "verify", "--json").stdout)["holds"] is False


def test_a_report_is_written_where_it_is_asked_for(root, tmp_path):
    report = data(root, "report", EXPERIMENT, "--out", str(tmp_path))

    assert report["html"] == str(tmp_path / "report.html")
    assert (tmp_path / "report.html").stat().st_size > 10_000
    assert (tmp_path / "evidence.svg").exists()


def test_a_report_on_an_unknown_experiment_is_not_found(root, tmp_path):
    assert called(root, "report", "other", "--out", str(tmp_path)).exit_code == 4


def test_observe_prints_the_problems_of_the_window(root):
    problems = data(root, "observe", "--window", "60m")

    assert problems == {"window_s": 3600.0, "problems": []}


def test_observe_finds_what_was_slow(root):
    problems = data(root, "observe", "--window", "36500d", "--slow-mean-s", "0.01")

    assert problems["problems"][0]["kind"] == "slow"
    assert len(problems["problems"][0]["trace_ids"]) == 3


@pytest.mark.parametrize(
    ("length", "seconds"), [("90s", 90.0), ("60m", 3600.0), ("1.5h", 5400.0), ("1d", 86400.0)]
)
def test_a_length_of_time_is_read(length, seconds):
    assert seconds_of(length) == seconds


@pytest.mark.parametrize("length", ["", "60", "m", "-1m", "an hour"])
def test_what_is_no_length_of_time_is_refused(length):
    with pytest.raises(ConfigError, match="60m"):
        seconds_of(length)


def test_colours_are_left_out_where_nobody_wants_them(root):
    result = CliRunner().invoke(app, ["status", "-w", str(root)], env={"NO_COLOR": "1"}, color=True)

    assert "\x1b[3" not in result.stdout
