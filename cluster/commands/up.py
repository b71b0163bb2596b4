"""`trimtab up`, `trimtab down` and `trimtab renew`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cluster.head import Cluster, default_profile
from cluster.options import Json, Workspace
from cluster.output import say
from cluster.session import Beside, bring_up, renew_certificate, take_down
from engine.books.backup import torn_spools
from engine.config.experiment import load_workflow
from engine.config.tls import Tls
from engine.errors import ConfigError


def up(
    config: Annotated[Path, typer.Argument(help="The workflow's YAML file.")],
    workspace: Workspace = Path(".trimtab"),
    profile: Annotated[
        str, typer.Option(help="fast (HAProxy) or plain; fast where HAProxy is installed.")
    ] = "",
    port: Annotated[int, typer.Option(help="The HTTP port, on loopback.")] = 8000,
    tls_cert: Annotated[
        Path | None, typer.Option(help="A certificate (PEM): HTTPS is served before the port.")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="The certificate's private key.")] = None,
    tls_host: Annotated[str, typer.Option(help="Where HTTPS listens.")] = "127.0.0.1",
    tls_port: Annotated[int, typer.Option(help="The HTTPS port.")] = 8443,
    grpc_port: Annotated[int | None, typer.Option(help="Serve gRPC on this port, too.")] = None,
    *,
    reflection: Annotated[
        bool, typer.Option(help="gRPC tells whoever asks what it offers; for development.")
    ] = False,
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
    root = workspace.resolve()
    for spool in torn_spools(root):
        say(f"{spool} can't be read and holds nothing else up; `trimtab doctor` says more")
    cluster = bring_up(
        root,
        workflow,
        profile="fast" if chosen == "fast" else "plain",
        port=port,
        dashboard=dashboard,
        beside=Beside(_tls(tls_cert, tls_key, tls_host, tls_port), grpc_port, reflection),
    )
    if as_json:
        typer.echo(cluster.model_dump_json())
    else:
        typer.echo("\n".join(told(workflow.workflow, cluster)))


def told(workflow: str, cluster: Cluster) -> Iterator[str]:
    """What an operator is told of a cluster that came up, line by line."""
    yield f"{workflow} is served at {cluster.url} ({cluster.profile} profile)"
    yield f"  curl {cluster.url}/healthz"
    if cluster.profile == "plain":
        # Serve's uvicorn has a time-out between requests only, and no option for another.
        yield "  without HAProxy, headers that never end are not cut off: only for trusted clients"
    if cluster.grpc:
        yield f"  gRPC: {cluster.grpc}, with the metadata `application: gateway`"
    if cluster.tls_url:
        yield f"  TLS 1.2 and 1.3: {cluster.tls_url}"
    if cluster.dashboard:
        yield f"  Ray's dashboard, and jobs: export RAY_ADDRESS={cluster.dashboard}"


def down(workspace: Workspace = Path(".trimtab"), *, as_json: Json = False) -> None:
    """End the workspace's cluster; the two books stay.

    Example: trimtab down
    """
    ended = take_down(workspace.resolve())
    if as_json:
        typer.echo(json.dumps({"ended": ended}))
    else:
        typer.echo("the cluster is down" if ended else "nothing was up")


def renew(workspace: Workspace = Path(".trimtab"), *, as_json: Json = False) -> None:
    """Take up a renewed TLS certificate without cutting anyone off.

    The files are those that `trimtab up` was given; new ones that can't be used change nothing.

    Example: trimtab renew
    """
    renew_certificate(workspace.resolve())
    typer.echo(json.dumps({"renewed": True}) if as_json else "the new certificate is in force")


def _tls(cert: Path | None, key: Path | None, host: str, port: int) -> Tls | None:
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise ConfigError("--tls-cert and --tls-key belong together; give both or none")
    return Tls(cert=str(cert.resolve()), key=str(key.resolve()), host=host, port=port)
