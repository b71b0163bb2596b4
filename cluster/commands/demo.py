"""`trimtab demo`: the main job, from nothing to a promoted variant and a report."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cluster.demo.files import EXPERIMENT, QUESTIONS
from cluster.demo.progress import live
from cluster.demo.story import Plan, tell
from cluster.demo.words import verdict_in_words
from cluster.head import default_profile
from cluster.options import Json
from engine.errors import ConfigError


def demo(
    workspace: Annotated[
        Path, typer.Option("--workspace", "-w", help="A folder that the demo may empty.")
    ] = Path(".trimtab/demo"),
    seed: Annotated[int, typer.Option(help="What every die of the demo begins with.")] = 0,
    profile: Annotated[str, typer.Option(help="fast (HAProxy) or plain.")] = "",
    port: Annotated[int, typer.Option(help="The HTTP port, on loopback.")] = 8000,
    rate: Annotated[float, typer.Option(help="Requests a second from the users.")] = 60.0,
    *,
    aa: Annotated[
        bool, typer.Option("--aa", help="Candidates are copies of the baseline.")
    ] = False,
    recorded: Annotated[
        int, typer.Option(help="With --aa: this many seeds in virtual time, without a cluster.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Serve, observe, search, promote and explain, on this machine, in minutes.

    Example: trimtab demo --seed 1
    Example: trimtab demo --aa --recorded 20
    """
    if recorded:
        if not aa:
            raise ConfigError(
                "--recorded goes with --aa: the outcomes on record are the baseline's"
            )
        _recorded(recorded, workspace.resolve(), as_json=as_json)
        return
    plan = Plan(
        root=workspace.resolve(),
        experiment=EXPERIMENT,
        questions=QUESTIONS,
        seed=seed,
        aa=aa,
        profile="fast" if (profile or default_profile()) == "fast" else "plain",
        port=port,
        rate=rate,
    )
    result = tell(plan, lambda text: typer.echo(f"· {text}", err=True), live)
    typer.echo(verdict_in_words(result), err=as_json)
    if as_json:
        typer.echo(json.dumps(result))


def _recorded(seeds: int, root: Path, *, as_json: bool) -> None:
    from cluster.demo.recorded import false_promotions

    result = false_promotions(root, seeds)
    if as_json:
        typer.echo(json.dumps(result))
    else:
        typer.echo(
            f"{result['promoted']} of {result['seeds']} experiments among equals promoted one "
            f"({result['windows']} windows, {result['units']} units, {result['seconds']} s)"
        )
