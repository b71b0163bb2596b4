"""A few minutes of kills, a full disk, a failing model and wrong requests, under load."""

import json

import pytest
from typer.testing import CliRunner

from cluster.chaos.plan import CI, named
from cluster.commands.chaos import app

pytestmark = pytest.mark.serve


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The subset's report; what a run says is read whether it is red or green."""
    root = tmp_path_factory.mktemp("chaos")
    done = CliRunner().invoke(app, ["run", "--subset", "ci", "--json", "-w", str(root)])
    assert done.exit_code in {0, 1}, done.exception
    return json.loads(done.stdout.splitlines()[-1])


def test_every_promise_holds_whatever_fails(report):
    broken = {one["id"]: one["examples"] for one in report["verdicts"] if not one["holds"]}

    assert broken == {}


def test_every_fault_of_the_subset_landed(report):
    landed = {one["fault"] for one in report["landed"] if one["evidence"]}

    assert landed == set(CI)
    assert {named(one["action"]).fault for one in report["plan"]} == set(CI)


def test_users_are_answered_all_the_same(report):
    failed = {name: report[name] for name in ("counts_with_retry", "recoveries")}

    assert report["flaws"] == [], json.dumps(failed)
