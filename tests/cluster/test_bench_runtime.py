"""The parts of `trimtab bench runtime` can be chosen, and measure what they say."""

import importlib

import pytest
from typer.testing import CliRunner

from cluster.bench.runtime import peer
from cluster.bench.runtime.graph import ready, shapes
from cluster.bench.runtime.run import PARTS, parts
from cluster.bench.runtime.timing import spread
from cluster.main import app
from engine.errors import ConfigError


def test_all_parts_run_unless_some_are_named():
    assert parts([]) == list(PARTS)
    assert parts(["client", "graph"]) == ["graph", "client"]


def test_an_unknown_part_is_refused_with_its_nearest():
    with pytest.raises(ConfigError, match="did you mean `graph`"):
        parts(["grape"])


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_a_module_that_measures(part):
    module = importlib.import_module(f"cluster.bench.runtime.{part}")

    assert callable(module.measure)


@pytest.mark.parametrize("shape", shapes(), ids=lambda shape: shape.name)
async def test_both_sides_of_a_graph_come_to_the_same_answer(shape):
    pytest.importorskip("langgraph")

    await (await ready(shape))()
    answer = await shape.theirs()()

    # The peer's fan-out adds its nodes up, ours adds the branches' values.
    assert answer["x"] == (shape.nodes if shape.name == "fan-out" else shape.answer)


def test_the_release_of_the_peer_is_told_or_its_absence():
    assert peer.peer_version() is None or peer.peer_version()[0].isdigit()


def test_rounds_come_to_a_median_between_their_ends():
    found = spread([3.0, 1.0, 2.0]).times(10.0)

    assert (found.low, found.median, found.high) == (10.0, 20.0, 30.0)


def test_an_unknown_part_ends_the_command_before_anything_is_measured():
    result = CliRunner().invoke(app, ["bench", "runtime", "--only", "grape", "--json"])

    assert result.exit_code == 2
    assert "grape" in result.stderr
    assert not result.stdout
