"""The doctor sees what is wrong, says what to do, and fails only for what will not work."""

import json
import socket
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from typer.testing import CliRunner

from cluster.doctor import workspace as rooms
from cluster.doctor.machine import (
    HOME,
    ROOMS,
    disk,
    import_path,
    installed_version,
    machine_findings,
    packages,
    places,
    proxies,
    requirements,
)
from cluster.doctor.workspace import workspace_findings
from cluster.main import app
from engine.books.secret import workspace_secret
from tests.search.stage import Stage


@pytest.fixture
def root(tmp_path: Path) -> Path:
    stage = Stage(tmp_path)
    stage.serve(1)
    stage.close()
    workspace_secret(tmp_path)
    return tmp_path


def grades(findings):
    return {finding.check: finding.grade for finding in findings}


def test_a_sound_workspace_is_well(root):
    assert set(grades(workspace_findings(root)).values()) == {"ok"}


def test_a_folder_without_a_workspace_is_no_fault(tmp_path):
    (finding,) = workspace_findings(tmp_path)

    assert finding.grade == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_secret_that_others_can_read_fails(root):
    (root / "secret").chmod(0o644)

    finding = rooms.secret(root)

    assert finding.grade == "fail"
    assert "chmod 600" in finding.advice


def test_a_damaged_file_of_the_store_fails_and_is_named(root):
    file = next((root / "parquet" / "trace").glob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-20])

    finding = rooms.store(root)

    assert finding.grade == "fail"
    assert file.name in finding.found


def test_damaged_files_that_were_set_aside_are_remembered(root):
    (root / "quarantine").mkdir()
    (root / "quarantine" / "trace-3.parquet").write_bytes(b"")

    assert rooms.quarantine(root).grade == "warn"


def test_a_ledger_that_cannot_be_read_fails_and_the_other_checks_go_on(root):
    (root / "ledger.db").write_bytes(b"this is no database" * 100)

    found = grades(workspace_findings(root))

    assert found["ledger"] == "fail"
    assert found["store"] == "ok"


def test_a_recorded_cluster_that_does_not_answer_fails(root):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        place = f"127.0.0.1:{port}"
        (root / "cluster.json").write_text(
            json.dumps({"address": place, "url": f"http://{place}", "pid": 1, "profile": "plain"})
        )

        finding = rooms.cluster(root)

    assert finding.grade == "fail"
    assert "trimtab down" in finding.advice


def test_a_package_below_its_floor_fails_with_what_to_install():
    needed = [Requirement("ray[serve]>=2.60"), Requirement("nowhere"), Requirement("polars")]
    versions = {"ray": "2.50.0", "polars": "1.0"}

    findings = list(packages(needed, versions.get))

    assert [(one.check, one.grade) for one in findings] == [("ray", "fail"), ("nowhere", "fail")]
    assert ">=2.60" in findings[0].advice


def test_every_package_that_is_asked_for_is_installed_here():
    needed = requirements()

    assert {"ray", "optuna", "polars"} <= {one.name for one in needed}
    assert [one.grade for one in packages(needed, installed_version)] == ["ok"]


def test_our_packages_are_our_own():
    assert import_path(places(), HOME).grade == "ok"


def test_a_package_from_elsewhere_fails():
    found = places() | {"search": Path("/home/user/search")}

    finding = import_path(found, HOME)

    assert finding.grade == "fail"
    assert "/home/user/search" in finding.found


def test_a_working_directory_with_packages_of_our_names_is_warned_of(tmp_path):
    (tmp_path / ROOMS[1]).mkdir()
    (tmp_path / ROOMS[1] / "__init__.py").touch()

    assert import_path(places(), tmp_path).grade == "warn"


@pytest.mark.parametrize(
    ("environment", "grade"),
    [
        ({}, "ok"),
        ({"HTTP_PROXY": ""}, "ok"),
        ({"HTTP_PROXY": "http://proxy:3128"}, "warn"),
        ({"https_proxy": "http://proxy:3128", "NO_PROXY": "localhost"}, "warn"),
        ({"http_proxy": "http://proxy:3128", "no_proxy": "localhost, 127.0.0.1"}, "ok"),
        ({"http_proxy": "http://proxy:3128", "no_proxy": "*"}, "ok"),
    ],
)
def test_a_proxy_must_let_this_machine_alone(environment, grade):
    assert proxies(environment).grade == grade


def test_a_folder_that_is_not_there_yet_is_on_the_disk_above_it(tmp_path):
    assert str(tmp_path) in disk(tmp_path / "a" / "b").found


def test_a_taken_port_is_warned_of(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        found = grades(machine_findings(tmp_path, taken.getsockname()[1], {}))

    assert found["HTTP port"] == "warn"


def test_an_endpoint_that_nobody_answers_fails_and_its_key_is_not_told(tmp_path):
    environment = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "OPENAI_API_KEY": "very-private"}

    findings = {one.check: one for one in machine_findings(tmp_path, 0, environment)}

    assert findings["endpoint"].grade == "fail"
    assert "very-private" not in str(findings)


def test_the_doctors_answer_is_a_check(root):
    (root / "secret").chmod(0o644)

    result = CliRunner().invoke(app, ["doctor", "--json", "-w", str(root)])

    assert result.exit_code == 1
    assert {"check": "secret", "grade": "fail"}.items() <= next(
        one for one in json.loads(result.stdout) if one["check"] == "secret"
    ).items()
