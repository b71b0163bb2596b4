"""The parts of `trimtab bench store` can be chosen, and measure what they say."""

import importlib

import pytest
from typer.testing import CliRunner

from cluster.bench.store.looking import NOW, WINDOW_S, flat_calls
from cluster.bench.store.run import PARTS, parts
from cluster.bench.store.traffic import NODES, facts, fill
from cluster.main import app
from engine.books.inspection import problems_in_traces
from engine.books.rollups import Rollups
from engine.books.store import Store
from engine.errors import ConfigError
from engine.evidence.observe import Limits
from engine.evidence.rollup import added


def test_all_parts_run_unless_some_are_named():
    assert parts([]) == list(PARTS)
    assert parts(["looking", "recording"]) == ["recording", "looking"]


def test_an_unknown_part_is_refused_with_its_nearest():
    with pytest.raises(ConfigError, match="did you mean `looking`"):
        parts(["lookin"])


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_a_module_that_measures(part):
    module = importlib.import_module(f"cluster.bench.store.{part}")

    assert callable(module.measure)


def test_the_traffic_is_what_it_says(tmp_path):
    fill(tmp_path, 1_000, now=NOW, length_s=60.0)
    store, rollups = Store(tmp_path), Rollups(tmp_path)
    rollups.fold(store, upto=store.position())

    sums = added([rollups.read(store, since=0.0, rated_since=0.0).sums], ("node",))

    assert dict(sums.select("node", "calls").rows()) == dict.fromkeys(("", *NODES), 1_000)
    assert store.read("feedback").height == 50


def test_the_peers_are_asked_of_the_same_calls(tmp_path):
    fill(tmp_path, 1_000, now=NOW, length_s=60.0)

    (calls,) = flat_calls(tmp_path)

    assert dict(calls["node"].value_counts().rows()) == dict.fromkeys(("", *NODES), 1_000)


def test_the_traffic_has_a_slow_node_for_who_asks_strictly(tmp_path):
    fill(tmp_path, 1_000, now=NOW, length_s=2 * WINDOW_S)

    problems = problems_in_traces(
        tmp_path, now=NOW, window_s=WINDOW_S, limits=Limits(slow_mean_s=0.1)
    )

    assert {one.name for one in problems if one.scope == "node"} >= set(NODES)
    assert all(len(one.trace_ids) == 3 for one in problems)


def test_a_request_is_an_exposure_and_a_trace_of_one_id():
    ((kind, exposure), (other, trace)), *_ = facts(2)

    assert (kind, other) == ("exposure", "trace")
    assert exposure["trace_id"] == trace["trace_id"]


def test_the_command_measures_a_named_part(tmp_path):
    told = CliRunner().invoke(
        app, ["bench", "store", "--quick", "--only", "compaction", "-w", str(tmp_path), "--json"]
    )

    assert told.exit_code == 0, told.output
    assert '"id": "bytes-trace"' in told.output or '"id":"bytes-trace"' in told.output
