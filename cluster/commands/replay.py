"""`trimtab replay`: the whole loop on logged outcomes, beside other rules, by the truth."""

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from cluster.options import Json
from cluster.output import say, show, show_json, show_table
from engine.config.experiment import Experiment, load_experiment, space_of
from engine.config.problem import did_you_mean
from engine.errors import ConfigError
from search.replay.engine import POLICIES, Asked
from search.replay.outcomes import Outcomes, Recorded
from search.replay.parameters import read_params
from search.replay.replicates import Field, replicated
from search.replay.report import write_replay
from search.replay.summary import PolicySummary, summarised
from search.replay.table import read_outcomes
from search.replay.terms import baseline_of, refuse_unmeasurable, timeless, usual_experiment
from search.replay.track import ReplayResult, best_feasible
from search.replay.words import table_of


def replay(
    outcomes: Annotated[
        Path,
        typer.Argument(help="CSV or Parquet with variant, unit_id and score, a row each outcome."),
    ],
    experiment: Annotated[
        Path | None, typer.Option(help="An experiment's YAML file; the defaults without it.")
    ] = None,
    variants: Annotated[
        Path | None, typer.Option(help="CSV or Parquet with variant and a column each parameter.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="The variant that serves first; `baseline` without it.")
    ] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(POLICIES)}; repeat for more, all without it."),
    ] = None,
    requests: Annotated[int, typer.Option(min=1, help="Length of one replay.")] = 100_000,
    replicates: Annotated[
        int, typer.Option(min=2, help="Replays of each policy, each with a seed of its own.")
    ] = 20,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; one a core without it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A folder for the page, the chart and every promotion.")
    ] = None,
    *,
    aa: Annotated[
        bool, typer.Option("--aa", help="Every variant has the baseline's outcomes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Replay logged outcomes under several policies and tell what was truly won and lost.

    Each policy meets the same units. A failed unit scores 0. In a replay outcomes are final at
    once and no day passes, so an experiment's maturation, cycle and duration don't apply.

    Example: trimtab replay outcomes.csv --policy trimtab --policy article --out replays
    Example: trimtab replay outcomes.parquet --aa --replicates 200
    """
    policies = _known(policy or list(POLICIES))
    table, trying = _read(outcomes, variants, experiment)
    first = baseline_of(table.variants, baseline)
    if "trimtab" in policies:
        refuse_unmeasurable(trying, table)
    asked = [
        Asked(policy=name, baseline=first, requests=requests, seed=number, aa=aa)
        for name in policies
        for number in range(seed, seed + replicates)
    ]
    results = _replayed(Field(table, trying), asked, jobs or len(os.sched_getaffinity(0)))
    summaries = summarised(results)
    known = Recorded(table, baseline=first, seed=seed, aa=aa)
    told: dict[str, Any] = {
        "outcomes": str(outcomes),
        "variants": len(table.variants),
        "baseline": first,
        "baseline_quality": known.truth(first).quality,
        "best_feasible": best_feasible(known, first, trying.guardrails.latency_ratio),
        "requests": requests,
        "replicates": replicates,
        "seed": seed,
        "aa": aa,
        "policies": [asdict(one) for one in summaries],
    }
    if out is not None:
        quality = {name: known.truth(name).quality for name in table.variants}
        paths = write_replay(out, told, summaries, results, quality)
        say(f"written: {paths.markdown}, {paths.chart}, {paths.data}")
    if as_json:
        show_json(told)
    else:
        _show(told, summaries)


def _known(policies: list[str]) -> list[str]:
    for name in policies:
        if name not in POLICIES:
            raise ConfigError(f"--policy is {name!r}; {did_you_mean(name, POLICIES)}")
    return list(dict.fromkeys(policies))


def _read(
    outcomes: Path, variants: Path | None, experiment: Path | None
) -> tuple[Outcomes, Experiment]:
    """The table, and the experiment that it is replayed under."""
    table = read_outcomes(outcomes)
    loaded = None if experiment is None else load_experiment(experiment).experiment
    if variants is not None:
        space = None if loaded is None else space_of(loaded)
        table = replace(table, params=read_params(variants, table, space))
    trying = usual_experiment(table.variants) if loaded is None else timeless(loaded)
    return table, trying


def _replayed(field: Field, asked: list[Asked], jobs: int) -> list[ReplayResult]:
    """The replays, with their progress on standard error."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=len(asked))
        return replicated(
            field, asked, jobs=jobs, progress=lambda count: bar.update(task, completed=count)
        )


def _show(told: dict[str, Any], summaries: tuple[PolicySummary, ...]) -> None:
    show(
        f"{told['variants']} variants, {told['requests']:,} requests a replay; the baseline "
        f"{told['baseline']} is truly at {told['baseline_quality'] * 100:.1f} %, the best that is "
        f"quick enough at {told['best_feasible'] * 100:.1f} %"
    )
    title = "among equals, where every promotion is a mistake" if told["aa"] else "by the truth"
    columns, rows = table_of(summaries, aa=told["aa"])
    show_table(title, columns, rows)
