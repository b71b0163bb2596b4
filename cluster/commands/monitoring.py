"""`trimtab monitoring`: what Prometheus and Grafana need to show a deployment."""

import contextlib
from pathlib import Path
from typing import Annotated

import psutil
import typer

from cluster.head import load
from cluster.monitoring.files import USUAL, write
from cluster.monitoring.limits import Limits
from cluster.options import DEFAULT, Json, Workspace
from cluster.output import show, show_json
from engine.config import source
from serve_apps.telemetry.table import as_markdown

METRICS_PORT = "--metrics-export-port="


def monitoring(
    folder: Annotated[Path | None, typer.Argument(help="Where the files are written.")] = None,
    limits: Annotated[
        Path | None, typer.Option(help="A YAML file of limits, for the alerts.")
    ] = None,
    workspace: Workspace = DEFAULT,
    *,
    as_json: Json = False,
) -> None:
    """Write dashboards, alert rules and the scrape configuration; without a folder, list metrics.

    Example: trimtab monitoring monitoring --workspace .trimtab
    """
    if folder is None:
        show(as_markdown())
        return
    known = Limits() if limits is None else source.load(limits, Limits)
    written = write(folder, known, [metrics_address(workspace.resolve())])
    if as_json:
        show_json([str(path) for path in written])
    else:
        show("\n".join(str(path) for path in written))


def metrics_address(root: Path) -> str:
    """Where the workspace's cluster tells its metrics, or Ray's usual place when none is up."""
    cluster = load(root)
    if cluster is not None and cluster.is_alive:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            for part in psutil.Process(cluster.pid).cmdline():
                if part.startswith(METRICS_PORT):
                    return f"127.0.0.1:{part.removeprefix(METRICS_PORT)}"
    return USUAL
