"""`trimtab tune`: an experiment as a Ray Tune driver."""

import json
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import ray
import typer

from cluster.dashboard import PORT, study_page
from cluster.demo.progress import live
from cluster.indexing import build_indexes, indexes_of
from cluster.options import Json, Workspace
from cluster.session import connect
from engine.config.experiment import load_experiment
from search.direction import directed
from search.tuner import tune_experiment


def tune(
    experiment: Annotated[Path, typer.Argument(help="The experiment's YAML file.")],
    workspace: Workspace = Path(".trimtab"),
    *,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the trials that a dead driver left.")
    ] = False,
    only: Annotated[
        str, typer.Option(help="Search only these parameters: paths or patterns, with commas.")
    ] = "",
    dashboard: Annotated[
        bool,
        typer.Option(
            "--dashboard/--no-dashboard", help="Show the study in optuna-dashboard meanwhile."
        ),
    ] = False,
    dashboard_port: Annotated[
        int, typer.Option(min=1, max=65_535, help="The dashboard's port on this machine.")
    ] = PORT,
    as_json: Json = False,
) -> None:
    """Search an experiment's space on live traffic and nominate what is proved better.

    Example: trimtab tune configs/demo/experiment.yaml --only llm.temperature,rag.*
    """
    root = workspace.resolve()
    patterns = [pattern.strip() for pattern in only.split(",") if pattern.strip()]
    loaded = directed(load_experiment(experiment), patterns)
    connect(root)
    with ExitStack() as stack:
        stack.callback(ray.shutdown)
        if dashboard:
            typer.echo(
                f"dashboard: {stack.enter_context(study_page(root, dashboard_port))}", err=True
            )
        build_indexes(root, indexes_of(loaded))
        stack.enter_context(live(root, loaded.experiment.experiment, quiet=as_json))
        outcome = tune_experiment(root, loaded, resume=resume)
    if as_json:
        typer.echo(json.dumps(asdict(outcome)))
        return
    for trial in outcome.trials:
        typer.echo(f"{trial.window}  {trial.config_hash}  {trial.state}  {trial.cause}")
    typer.echo(f"promoted: {outcome.promoted or 'nothing'}")
