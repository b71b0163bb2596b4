"""`trimtab diagnose`: figures and recommendations on one stream, talk on the other."""

import json
import time

import pytest
import typer
from typer.testing import CliRunner

from cluster.commands.diagnose import diagnose
from engine.books.catalogue import Catalogue
from engine.books.compactor import Compactor
from engine.books.spool import Spool
from engine.errors import ConfigError, NotFoundError
from search.books import Decisions

app = typer.Typer(rich_markup_mode=None)
app.command()(diagnose)

SPANS = [
    {
        "node": "writer",
        "kind": "llm",
        "start_s": 0.0,
        "duration_s": 6.0,
        "status": "ok",
        "input_tokens": 900,
        "output_tokens": 60,
        "cost_usd": 0.002,
    },
    {"node": "[search]", "kind": "tool", "start_s": 6.0, "duration_s": 3.0, "status": "ok"},
]


def traced(number, workflow):
    return (
        "trace",
        {
            "trace_id": f"{workflow}-{number}",
            "at": time.time() - 600.0 + number,
            "workflow": workflow,
            "variant": "v1",
            "duration_s": 10.0,
            "overhead_s": 0.001,
            "status": "ok",
            "error": "",
            "spans": json.dumps(SPANS) if workflow == "support" else None,
            "writer": "gateway",
        },
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("diagnosed")
    Decisions(root).close()
    spool = Spool(root / "spools" / "gateway.db", Catalogue(root / "catalogue.db"))
    spool.write([traced(n, name) for n in range(30) for name in ("support", "bare")])
    compactor = Compactor(root)
    compactor.step(time.time())
    compactor.close()
    spool.close()
    return root


def called(root, *arguments):
    return CliRunner().invoke(app, [*arguments, "-w", str(root)], env={"COLUMNS": "200"})


def data(root, *arguments):
    result = called(root, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_it_prints_figures_and_recommendations_as_data(root):
    found = data(root, "--workflow", "support")

    assert found["since_s"] == 3_600.0
    assert found["limits"]["model_call_s"] == 5.0
    assert [node["node"] for node in found["nodes"]] == ["writer", "[search]"]
    assert found["nodes"][0]["critical_share"] == pytest.approx(0.6)
    assert {one["finding"] for one in found["recommendations"]} == {"slow_model", "slow_tool"}


def test_it_tells_people_what_to_turn(root):
    said = called(root).stdout

    assert "60.0 %" in said
    assert "support, writer: 95 % of its model calls take up to 6.00 s, limit 5.00 s" in said
    assert "turn llm.max_tokens, llm.name" in said
    assert "tools.settings.[search].timeout_s" in said


def test_a_limit_may_be_moved(root):
    found = data(root, "--model-call-s", "7", "--tool-call-s", "4")

    assert found["recommendations"] == []
    assert (
        "nothing is beyond its limit"
        in called(root, "--model-call-s", "7", "--tool-call-s", "4").stdout
    )


def test_traces_without_spans_have_their_time_elsewhere(root):
    (bare,) = data(root, "--workflow", "bare")["workflows"]

    assert (bare["elsewhere_share"], bare["tokens_p95"]) == (1.0, None)


@pytest.mark.parametrize("arguments", [("--workflow", "other"), ("--since", "10s")])
def test_without_a_trace_it_fails_and_says_what_to_do(root, arguments):
    result = called(root, *arguments)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "trimtab send" in result.stderr


def test_a_length_that_is_none_is_refused_by_its_name(root):
    result = called(root, "--since", "yesterday")

    assert isinstance(result.exception, ConfigError)
    assert "--since is 'yesterday'" in str(result.exception)


def test_a_folder_that_is_no_workspace_is_not_found(tmp_path):
    assert isinstance(called(tmp_path).exception, NotFoundError)
