"""Laws of `trimtab plan`: traffic as people write it, and a warning where a window is too short."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cluster.commands.plan import units_per_s
from cluster.main import app
from engine.errors import ConfigError

EXPERIMENT = Path(__file__).resolve().parents[2] / "configs" / "demo" / "experiment.yaml"


def called(*arguments):
    return CliRunner().invoke(app, ["plan", str(EXPERIMENT), *map(str, arguments)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3/s", 3.0),
        ("30/minute", 0.5),
        ("7200 / hour", 2.0),
        ("86_400/day", 1.0),
        ("1.5/s", 1.5),
    ],
)
def test_traffic_is_read_as_people_write_it(text, expected):
    assert units_per_s(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["50000", "50000/week", "-3/s", "1e5/day", "many/day", ""])
def test_what_is_no_traffic_is_refused(text):
    with pytest.raises(ConfigError, match="such as 50000/day"):
        units_per_s(text)


def test_a_plan_is_told_to_machines_and_drawn(tmp_path):
    path = tmp_path / "plan.svg"

    result = called("--traffic", "3/s", "--rate", 0.6, "--effect", 0.08, "--json", "--out", path)

    told = json.loads(result.stdout)
    assert told["units_per_s"] == 3.0
    assert told["first"]["nats"] == pytest.approx(5.768, abs=1e-3)
    assert told["first"]["information"]["units"] < told["first"]["p90"]["units"]
    assert path.read_text(encoding="utf-8").startswith("<svg")


def test_a_window_that_is_too_short_for_the_effect_is_noted():
    result = called("--traffic", "50000/day", "--rate", 0.6)

    assert result.exit_code == 0
    assert "note: of such candidates only" in result.stdout
    assert "within max_duration_s no window comes to that length" in result.stdout


def test_a_window_that_is_long_enough_is_not_noted():
    result = called("--traffic", "100/s", "--rate", 0.6, "--effect", 0.2)

    assert "note:" not in result.stdout
    assert "max_trials allows 16" in result.stdout


def test_an_impossible_effect_is_refused():
    result = called("--traffic", "3/s", "--rate", 0.9, "--effect", 0.2)

    assert result.exit_code == 2
    assert result.stderr.startswith("error: the effect is 0.2; above a mean score of 0.9")


def test_traffic_has_to_be_told():
    assert called().exit_code == 2
