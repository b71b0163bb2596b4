"""What a person decides: on record with its reason, in force at once, undone in one command."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.main import app
from engine.books.active import read_active
from engine.config.experiment import load_workflow
from engine.config.paths import settings_of
from engine.experiment.entries import Installed
from engine.experiment.variant import variant_of
from search.books import Decisions
from tests.search.stage import WORKFLOW, Stage

REASON = "approved by the team"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A workspace with one window open, so that there is a variant to promote."""
    stage = Stage(tmp_path)
    stage.serve(1)
    stage.life("t1")._begin()
    stage.close()
    return tmp_path


def called(root: Path, *arguments: str, stdin: str | None = None):
    return CliRunner().invoke(app, [*arguments, "-w", str(root)], input=stdin)


def workflow_in(root: Path):
    decisions = Decisions(root)
    state = decisions.state()
    decisions.close()
    return state.workflow(WORKFLOW.workflow)


def candidate_in(root: Path) -> str:
    (window,) = workflow_in(root).open_windows
    return window.candidate


def test_a_promotion_is_on_record_with_its_reason_and_in_the_active_file(root):
    before, candidate = workflow_in(root).baseline, candidate_in(root)

    result = called(root, "promote", candidate, "--reason", REASON, "--yes", "--json")

    done = json.loads(result.stdout)
    workflow = workflow_in(root)
    assert (done["before"], done["after"]) == (before, candidate)
    assert workflow.baseline == candidate
    assert workflow.open_windows == ()
    active = load_workflow(Path(done["active"]))
    assert variant_of(active) == workflow.variants[candidate]
    entry = Decisions(root).ledger.read(done["seq"] - 1)[0]
    assert (entry.kind, entry.actor, entry.body["reason"]) == ("Promoted", "operator", REASON)


def test_a_variant_is_promoted_by_the_beginning_of_its_hash(root):
    candidate = candidate_in(root)

    assert called(root, "promote", candidate[:5], "--reason", REASON, "-y").exit_code == 0
    assert workflow_in(root).baseline == candidate


def test_a_person_may_still_say_no(root):
    result = called(root, "promote", candidate_in(root), "--reason", REASON, stdin="n\n")

    assert result.exit_code == 2
    assert "nothing was changed" in result.stderr
    assert workflow_in(root).open_windows


def test_a_person_who_says_yes_is_asked_with_what_changes(root):
    result = called(root, "promote", candidate_in(root), "--reason", REASON, stdin="y\n")

    assert result.exit_code == 0
    assert "llm.temperature: 0.2 → 0.7" in result.stderr


def test_nobody_to_ask_means_no(root):
    result = called(root, "promote", candidate_in(root), "--reason", REASON, stdin="")

    assert result.exit_code == 2
    assert "--yes" in result.stderr


@pytest.mark.parametrize("name", ["ffffff", "abc", ""])
def test_an_unknown_variant_is_not_found(root, name):
    assert called(root, "promote", name, "--reason", REASON, "-y").exit_code == 4


def test_the_baseline_cannot_be_promoted(root):
    baseline = workflow_in(root).baseline

    result = called(root, "promote", baseline, "--reason", REASON, "-y")

    assert result.exit_code == 2
    assert "already" in result.stderr


@pytest.mark.parametrize("command", [["promote", "VARIANT", "--yes"], ["rollback"]])
def test_a_decision_without_a_reason_is_refused(root, command):
    candidate = candidate_in(root)
    named = [candidate if part == "VARIANT" else part for part in command]

    assert called(root, *named, "--reason", "  ").exit_code == 2
    assert workflow_in(root).open_windows


def test_one_command_brings_the_former_baseline_and_its_file_back(root):
    before, candidate = workflow_in(root).baseline, candidate_in(root)
    called(root, "promote", candidate, "--reason", REASON, "-y")
    promoted_text = read_active(root, WORKFLOW.workflow)

    result = called(root, "rollback", "--reason", "users complain", "--json")

    done = json.loads(result.stdout)
    assert (done["before"], done["after"]) == (candidate, before)
    assert workflow_in(root).baseline == before
    assert settings_of(load_workflow(Path(done["active"]))) == settings_of(WORKFLOW)
    assert read_active(root, WORKFLOW.workflow, previous=True) == promoted_text
    entry = Decisions(root).ledger.read(done["seq"] - 1)[0]
    assert (entry.kind, entry.body["reason"]) == ("RolledBack", "users complain")
    assert done["in_force"] is False


def test_a_rollback_of_a_rollback_goes_forward_again(root):
    candidate = candidate_in(root)
    called(root, "promote", candidate, "--reason", REASON, "-y")

    called(root, "rollback")
    called(root, "rollback")

    assert workflow_in(root).baseline == candidate


def test_there_is_nothing_to_go_back_to_before_a_first_promotion(root):
    result = called(root, "rollback", "--reason", REASON)

    assert result.exit_code == 4
    assert "no other baseline" in result.stderr


def test_both_decisions_are_told_as_a_persons(root):
    called(root, "promote", candidate_in(root), "--reason", REASON, "-y")
    called(root, "rollback", "--reason", "users complain")

    told = called(root, "explain").stdout

    assert told.count("A person decided it.") == 2
    assert f"Recorded: {REASON}" in told
    assert "Recorded: users complain" in told


def test_with_several_workflows_the_one_must_be_named(root):
    other = WORKFLOW.model_copy(update={"workflow": "other"})
    decisions = Decisions(root)
    installed = Installed(
        workflow="other",
        baseline=variant_of(other),
        workflow_config=other.model_dump(mode="json"),
    )
    decisions.append(lambda _: installed, actor="test", clock=lambda: 1.8e9)
    decisions.close()

    result = called(root, "rollback", "--reason", REASON)

    assert result.exit_code == 4
    assert "docs, other" in result.stderr


def test_a_candidate_is_added_by_hand_and_is_on_record(root):
    result = called(root, "add", "docs-qa", "--set", "rag.top_k=6", "--reason", "a hunch", "--json")

    done = json.loads(result.stdout)
    entry = Decisions(root).ledger.read(done["seq"] - 1)[0]
    assert done["changes"] == {"rag.top_k": 6}
    assert (entry.kind, entry.actor, entry.body["reason"]) == (
        "CandidateAdded",
        "operator",
        "a hunch",
    )


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (["--set", "rag.top_k"], "write PATH=VALUE"),
        (["--set", "rag.top_k=6", "--set", "rag.top_k=7"], "the same setting twice"),
        (["--set", "rag.topk=6"], "did you mean `rag.top_k`"),
    ],
)
def test_a_candidate_that_cannot_be_tried_is_refused(root, said, why):
    result = called(root, "add", "docs-qa", *said)

    assert result.exit_code == 2
    assert why in result.stderr
