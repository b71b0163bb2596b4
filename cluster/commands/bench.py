"""`trimtab bench`: speed, always against a peer measured in the same minutes."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cluster.bench.serving import bench_serving
from cluster.demo.files import WORKFLOW
from cluster.head import default_profile
from cluster.options import Json
from engine.config.experiment import load_workflow
from engine.errors import ConfigError


def bench(
    what: Annotated[str, typer.Argument(help="What to measure: serving.")] = "serving",
    workspace: Annotated[
        Path, typer.Option("--workspace", "-w", help="A folder for the benchmark's own books.")
    ] = Path(".trimtab/bench"),
    profile: Annotated[str, typer.Option(help="fast (HAProxy) or plain.")] = "",
    port: Annotated[int, typer.Option(help="The HTTP port, on loopback.")] = 8000,
    seconds: Annotated[float, typer.Option(help="Length of one round.")] = 5.0,
    *,
    as_json: Json = False,
) -> None:
    """Measure the whole gateway against two bare hops on the same cluster.

    Example: trimtab bench serving --json
    """
    if what != "serving":
        raise ConfigError(f"there is no benchmark {what!r}; there is: serving")
    result = bench_serving(
        workspace.resolve(),
        load_workflow(WORKFLOW),
        profile="fast" if (profile or default_profile()) == "fast" else "plain",
        port=port,
        seconds=seconds,
    )
    if as_json:
        typer.echo(json.dumps(result))
        return
    for row in result["rows"]:
        for name in ("bare", "gateway"):
            one = row[name]
            typer.echo(
                f"{row['connections']:3} connections  {name:8} {one['requests_per_s']:8.0f} "
                f"requests/s  p50 {one['p50_ms']:6.1f} ms  p99 {one['p99_ms']:6.1f} ms"
            )
        typer.echo(f"                 ratio    {row['ratio']:8.2f}")
