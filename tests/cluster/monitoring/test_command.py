import json

import pytest
import typer
from typer.testing import CliRunner

from cluster.commands.monitoring import monitoring
from engine.errors import ConfigError
from serve_apps.telemetry.table import TABLE


@pytest.fixture
def trimtab():
    app = typer.Typer()
    app.command()(monitoring)

    def call(*words):
        return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)

    return call


def test_without_a_folder_the_metrics_are_listed(trimtab):
    told = trimtab()

    assert told.exit_code == 0
    assert all(metric.exported in told.output for metric in TABLE)


def test_files_are_written_with_the_operators_limits(trimtab, tmp_path):
    (tmp_path / "limits.yaml").write_text("error_share: 0.125\n")

    told = trimtab(
        tmp_path / "made", "--limits", tmp_path / "limits.yaml", "-w", tmp_path, "--json"
    )

    written = json.loads(told.output)
    assert str(tmp_path / "made/alerts.yaml") in written
    assert "> 0.125" in (tmp_path / "made/alerts.yaml").read_text()


def test_limits_that_are_impossible_are_refused_at_their_place(trimtab, tmp_path):
    (tmp_path / "limits.yaml").write_text("error_share: 5\n")

    with pytest.raises(ConfigError, match=r"limits\.yaml:1"):
        trimtab(tmp_path / "made", "--limits", tmp_path / "limits.yaml")
    assert not (tmp_path / "made").exists()
