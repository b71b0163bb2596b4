"""Benchmarks print rows with goals, and a run that was cut goes on where it was."""

import json

import pytest
from typer.testing import CliRunner

from cluster.bench.replicates import replicated
from cluster.bench.rows import Row, compared, judged, show_rows
from cluster.bench.search.compare import METHODS, replicate, rows, tasks
from cluster.main import app
from engine.errors import ConfigError


def row(**changes):
    return Row(**{"id": "B1", "what": "false promotions", "value": 0.04, "unit": ""} | changes)


@pytest.mark.parametrize(
    ("goal", "value", "passed"),
    [
        ("<= 0.05", 0.05, True),
        ("<= 0.05", 0.051, False),
        (">= 0.65", 0.65, True),
        ("< 1", 1.0, False),
        ("> 1", 1.5, True),
        ("<= 0.05", None, False),
        (None, 0.9, None),
    ],
)
def test_a_goal_is_met_or_missed_and_nothing_unmeasured_meets_one(goal, value, passed):
    assert judged(row(goal=goal, value=value)).passed is passed


def test_chance_is_allowed_for_in_the_goals_own_direction():
    assert judged(row(goal="<= 0.05", value=0.06), tolerance=0.02).passed
    assert judged(row(goal=">= 0.05", value=0.04), tolerance=0.02).passed


def test_a_ratio_is_the_value_over_its_peers():
    assert compared(row(value=3.0), 2.0).ratio == 1.5
    assert compared(row(value=None), 2.0).ratio is None


def test_rows_are_one_line_of_json_or_a_table(capsys):
    made = [judged(row(goal="<= 0.01", low=0.02, high=0.06)), compared(row(value=2.0), 4.0)]

    assert not show_rows("statistics", made, 1.0, as_json=True)
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told.keys() == {"bench", "machine", "seconds", "rows"}
    assert [one["pass"] for one in told["rows"]] == [False, None]
    show_rows("statistics", made, 1.0, as_json=False)
    assert "MISS" in capsys.readouterr().out


def square(name, seed):
    return {"name": name, "square": seed * seed}


def test_a_run_that_was_cut_goes_on_where_it_was(tmp_path):
    path = tmp_path / "book.jsonl"
    whole = [("a", seed) for seed in range(4)]

    replicated(path, square, whole[:2])
    with path.open("a") as book:
        book.write('{"name": "a", "se')
    kept = path.read_text()
    found = replicated(path, square, whole)

    assert [one["square"] for one in found["a"]] == [0, 1, 4, 9]
    assert path.read_text().startswith(kept)


def test_after_its_time_nothing_new_begins(tmp_path):
    assert replicated(tmp_path / "book", square, [("a", 1)], until=0.0) == {}


def test_every_method_runs_on_every_surface_and_makes_rows():
    names = {name for name, _ in tasks(1, 4_000)}
    found = {
        name: [replicate(name, seed) for seed in (0, 1)]
        for name in sorted(names)[:: len(METHODS) + 1]
    }

    made = rows(found, marks=True)

    assert len(names) == 3 * len(METHODS)
    assert {one.what.partition(": ")[2] for one in made} >= {"reach and hold", "regret a request"}
    assert all(one.value is not None for one in made)


def test_an_unknown_benchmark_is_refused_with_the_known_ones():
    result = CliRunner().invoke(app, ["bench", "luck"])

    assert result.exit_code == 2
    assert "serving, statistics, search" in result.stderr


def test_a_comparison_can_be_narrowed_to_surfaces_and_methods():
    assert tasks(2, 500, ["mixed/trimtab"]) == [("mixed/trimtab/500", 0), ("mixed/trimtab/500", 1)]
    assert {name.split("/")[0] for name, _ in tasks(1, 500, ["ridge"])} == {"ridge"}
    assert len(tasks(1, 500, ["ridge"])) == len(METHODS)


def test_a_comparison_that_does_not_exist_is_refused_with_its_nearest():
    with pytest.raises(ConfigError, match="did you mean `mixed/trimtab`"):
        tasks(1, 500, ["mixed/trimtap"])
