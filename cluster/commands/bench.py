"""`trimtab bench`: speed and statistics, always against a goal or a peer in the same run."""

import time
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from cluster.bench.rows import Row, show_rows
from cluster.head import default_profile
from cluster.options import Json
from cluster.output import say
from engine.errors import ConfigError

BENCHES = ("serving", "statistics", "search", "runtime", "store")
QUICK_REQUESTS, REQUESTS = 400_000, 2_000_000
QUICK_REPLICATES, REPLICATES = 4, 32


class Where(NamedTuple):
    """How and where serving is measured."""

    workspace: Path
    profile: str
    port: int
    seconds: float
    peers: Path | None


def bench(
    what: Annotated[str, typer.Argument(help=f"What to measure: {', '.join(BENCHES)}.")],
    workspace: Annotated[
        Path, typer.Option("--workspace", "-w", help="A folder for the benchmark's own books.")
    ] = Path(".trimtab/bench"),
    profile: Annotated[str, typer.Option(help="serving: fast (HAProxy) or plain.")] = "",
    port: Annotated[int, typer.Option(help="serving: the HTTP port, on loopback.")] = 8000,
    seconds: Annotated[float, typer.Option(help="serving: length of one round.")] = 5.0,
    peers: Annotated[
        Path | None,
        typer.Option(help="serving: the environment of other gateways; made where it is missing."),
    ] = None,
    replicates: Annotated[
        int | None, typer.Option(help="search: runs of each method on each surface.", min=2)
    ] = None,
    jobs: Annotated[int, typer.Option(help="statistics, search: processes.", min=1)] = 2,
    only: Annotated[
        str,
        typer.Option(
            help="serving: throughput; statistics: B8,B9; search: mixed/trimtab; runtime: graph; "
            "store: looking."
        ),
    ] = "",
    seed: Annotated[int, typer.Option(help="statistics: what every die begins with.", min=0)] = 1,
    minutes: Annotated[
        float | None,
        typer.Option(help="Begin no more runs after this; a later call goes on."),
    ] = None,
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Small, in minutes.")] = False,
    as_json: Json = False,
) -> None:
    """Measure, print rows with goals and peers, and exit with 1 when a goal is missed.

    Example: trimtab bench search --quick --json
    """
    started = time.monotonic()
    until = None if minutes is None else started + 60.0 * minutes
    if what == "serving":
        where = Where(workspace, profile, port, seconds, peers)
        rows = _serving(where, _named(only), quick=quick)
    elif what == "statistics":
        rows = _statistics(workspace, only, jobs, seed, until, quick=quick)
    elif what == "search":
        rows = _search(workspace, replicates, jobs, until, _named(only), quick=quick)
    elif what == "runtime":
        rows = _runtime(_named(only), quick=quick)
    elif what == "store":
        rows = _store(workspace, _named(only), quick=quick)
    else:
        raise ConfigError(f"there is no benchmark {what!r}; there are: {', '.join(BENCHES)}")
    if not show_rows(what, rows, time.monotonic() - started, as_json=as_json):
        raise typer.Exit(1)


def _serving(where: "Where", only: list[str], *, quick: bool) -> list[Row]:
    from cluster.bench.serving.ground import Setting
    from cluster.bench.serving.run import rows

    root = where.workspace.resolve()
    fast = (where.profile or default_profile()) == "fast"
    setting = Setting(
        root,
        where.peers or root / "peers",
        "fast" if fast else "plain",
        where.port,
        1.5 if quick else where.seconds,
        2 if quick else 3,
        quick,
    )
    return rows(only, setting, say)


def _statistics(
    workspace: Path, only: str, jobs: int, seed: int, until: float | None, *, quick: bool
) -> list[Row]:
    from cluster.bench.replicates import replicated
    from cluster.bench.statistics.run import rows, tasks, work

    path = workspace / ("statistics-quick.jsonl" if quick else "statistics.jsonl")
    asked = tasks(_named(only), quick=quick, seed=seed)
    if quick:
        path.unlink(missing_ok=True)

    def progress(done: int, total: int) -> None:
        say(f"{done} of {total} scenarios")

    return rows(replicated(path, work, asked, jobs=jobs, until=until, progress=progress))


def _runtime(only: list[str], *, quick: bool) -> list[Row]:
    from cluster.bench.runtime.run import rows

    return rows(only, quick=quick, told=say)


def _store(workspace: Path, only: list[str], *, quick: bool) -> list[Row]:
    from cluster.bench.store.run import rows

    return rows(workspace.resolve(), only, quick=quick, told=say)


def _named(only: str) -> list[str]:
    return [name.strip() for name in only.split(",") if name.strip()]


def _search(
    workspace: Path,
    replicates: int | None,
    jobs: int,
    until: float | None,
    only: list[str],
    *,
    quick: bool,
) -> list[Row]:
    from cluster.bench.replicates import replicated
    from cluster.bench.search.compare import replicate, rows, tasks

    count = replicates or (QUICK_REPLICATES if quick else REPLICATES)
    asked = tasks(count, QUICK_REQUESTS if quick else REQUESTS, only)

    def progress(done: int, total: int) -> None:
        if done % 20 == 0 or done == total:
            say(f"{done} of {total} runs")

    path = workspace / "search.jsonl"
    found = replicated(path, replicate, asked, jobs=jobs, until=until, progress=progress)
    return rows(found, marks=not quick)
