"""Laws of `trimtab replay`: a table in, the truth out, and a refusal before any work."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from cluster.main import app

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "demo"


def called(*arguments):
    return CliRunner().invoke(app, ["replay", *map(str, arguments)])


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    rng = np.random.default_rng(0)
    rates = {"baseline": 0.5, "good": 0.75, "bad": 0.3}
    units = 1_000
    frame = pl.DataFrame(
        {
            "variant": np.repeat(list(rates), units),
            "unit_id": np.tile([f"u{number}" for number in range(units)], len(rates)),
            "score": np.concatenate([rng.random(units) < rate for rate in rates.values()]).astype(
                float
            ),
            "latency_s": np.exp(rng.normal(0.0, 0.5, len(rates) * units)),
        }
    )
    path = tmp_path_factory.mktemp("outcomes") / "outcomes.csv"
    frame.write_csv(path)
    return path


QUICK = ("--requests", 20_000, "--replicates", 2, "--jobs", 1)


def test_policies_are_compared_by_the_truth(outcomes):
    result = called(outcomes, *QUICK, "--policy", "trimtab", "--policy", "article", "--json")

    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [one["policy"] for one in told["policies"]] == ["trimtab", "article"]
    assert told["best_feasible"] == pytest.approx(0.75, abs=0.03)
    trimtab = told["policies"][0]
    assert trimtab["worse"] == 0
    assert trimtab["holds_best"]["estimate"] == 1.0
    assert 0.0 < trimtab["regret_per_request"]["estimate"] < 0.25


def test_people_get_a_table_and_a_page(outcomes, tmp_path):
    result = called(outcomes, *QUICK, "--policy", "fixed-z", "--out", tmp_path / "out")

    assert result.exit_code == 0, result.output
    assert "fixed-z" in result.stdout
    assert "the baseline baseline is truly at" in result.stdout
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "quality.svg",
        "replay.json",
        "replay.md",
    ]


def test_among_equals_every_promotion_is_a_mistake(outcomes):
    result = called(outcomes, *QUICK, "--policy", "tpe", "--aa", "--json")

    (tpe,) = json.loads(result.stdout)["policies"]
    assert tpe["promotions"] == tpe["worse"]


def test_an_experiment_s_parameters_are_checked_against_its_space(outcomes, tmp_path):
    folder = tmp_path / "configs"
    shutil.copytree(CONFIGS, folder)
    variants = tmp_path / "variants.csv"
    variants.write_text("variant,llm.temperatur\nbaseline,0\ngood,0\nbad,1\n", encoding="utf-8")

    result = called(
        outcomes, "--experiment", folder / "experiment.yaml", "--variants", variants, *QUICK
    )

    assert result.exit_code == 2
    assert "column `llm.temperatur` is no parameter" in result.stderr
    assert "did you mean `llm.temperature`?" in result.stderr


def test_a_replay_under_an_experiment_and_its_parameters(outcomes, tmp_path):
    variants = tmp_path / "variants.csv"
    variants.write_text("variant,llm.temperature\nbaseline,0\ngood,0.5\nbad,1\n", encoding="utf-8")

    result = called(
        *(outcomes, "--experiment", CONFIGS / "experiment.yaml", "--variants", variants),
        *(*QUICK, "--policy", "trimtab", "--json"),
    )

    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["policies"][0]["worse"] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--policy", "trimtap"), "--policy is 'trimtap'; did you mean `trimtab`?"),
        (("--baseline", "godo"), "--baseline is 'godo', no variant; did you mean `good`?"),
    ],
)
def test_what_is_unknown_is_refused_before_any_work(outcomes, arguments, said):
    result = called(outcomes, *arguments)

    assert result.exit_code == 2
    assert result.stderr.strip() == f"error: {said}"


def test_one_replay_is_too_few(outcomes):
    assert called(outcomes, "--replicates", 1).exit_code == 2


def test_without_latency_the_other_policies_can_still_be_compared(outcomes, tmp_path):
    path = tmp_path / "scores.csv"
    pl.read_csv(outcomes).drop("latency_s").write_csv(path)

    assert "no column `latency_s`" in called(path, *QUICK).stderr
    assert called(path, *QUICK, "--policy", "article").exit_code == 0
