"""`trimtab up` and `trimtab down`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cluster.head import default_profile
from cluster.options import Json, Workspace
from cluster.session import bring_up, take_down
from engine.config.experiment import load_workflow
from engine.errors import ConfigError


def up(
    config: Annotated[Path, typer.Argument(help="The workflow's YAML file.")],
    workspace: Workspace = Path(".trimtab"),
    profile: Annotated[
        str, typer.Option(help="fast (HAProxy) or plain; fast where HAProxy is installed.")
    ] = "",
    port: Annotated[int, typer.Option(help="The HTTP port, on loopback.")] = 8000,
    *,
    dashboard: Annotated[
        bool, typer.Option(help="Start Ray's dashboard, which `ray job submit` needs.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Start Ray and Serve, seat the baseline and serve it until `trimtab down`.

    Example: trimtab up configs/demo/workflow.yaml --port 8000
    """
    chosen = profile or default_profile()
    if chosen not in {"fast", "plain"}:
        raise ConfigError(f"--profile is {chosen!r}; it must be fast or plain")
    workflow = load_workflow(config)
    cluster = bring_up(
        workspace.resolve(),
        workflow,
        profile="fast" if chosen == "fast" else "plain",
        port=port,
        dashboard=dashboard,
    )
    if as_json:
        typer.echo(cluster.model_dump_json())
        return
    typer.echo(f"{workflow.workflow} is served at {cluster.url} ({cluster.profile} profile)")
    typer.echo(f"  curl {cluster.url}/healthz")
    if cluster.dashboard:
        typer.echo(f"  Ray's dashboard, and jobs: export RAY_ADDRESS={cluster.dashboard}")


def down(workspace: Workspace = Path(".trimtab"), *, as_json: Json = False) -> None:
    """End the workspace's cluster; the two books stay.

    Example: trimtab down
    """
    ended = take_down(workspace.resolve())
    if as_json:
        typer.echo(json.dumps({"ended": ended}))
    else:
        typer.echo("the cluster is down" if ended else "nothing was up")
