"""`trimtab chaos`: break a deployment under load on purpose, and hold it to its promises."""

from pathlib import Path
from typing import Annotated

import typer

from cluster.bench.rows import show_rows
from cluster.chaos.plan import ACTIONS, CI, schedule
from cluster.chaos.report import Report
from cluster.chaos.run import Asked
from cluster.chaos.run import run as run_chaos
from cluster.head import free_ports
from cluster.options import Json
from cluster.output import say, show_json, show_table
from engine.errors import ConfigError, NotFoundError

CI_S = 140.0
"""Of load, so that the subset with its start and end takes about 3 minutes."""
HOLDS = {True: "yes", False: "NO", None: "not tried"}
ALL = tuple(sorted({action.fault for action in ACTIONS}))

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Break a deployment under load on purpose, and hold it to its promises.",
    epilog="Example: trimtab chaos run --subset ci --seed 7",
)

Folder = Annotated[
    Path, typer.Option("--workspace", "-w", help="A folder for the run's own books and journals.")
]
Port = Annotated[int, typer.Option(help="The HTTP port, on loopback; 0 takes a free one.")]
File = Annotated[Path | None, typer.Option("--file", help="Write the report to this file.")]


@app.command(epilog="Example: trimtab chaos run --seed 7 --minutes 10 --faults 1,6,9")
def run(
    seed: Annotated[int, typer.Option(help="Draws the order and the moments of the faults.")] = 0,
    minutes: Annotated[float, typer.Option(help="How long the load lasts.", min=0.2)] = 10.0,
    faults: Annotated[
        str, typer.Option(help="Numbers of the table of faults, with commas; empty takes all.")
    ] = "",
    subset: Annotated[str, typer.Option(help="`ci` is what a test run has time for.")] = "",
    rate: Annotated[float, typer.Option(help="Requests a second.", min=1.0)] = 20.0,
    workspace: Folder = Path(".trimtab/chaos"),
    port: Port = 0,
    file: File = None,
    *,
    as_json: Json = False,
) -> None:
    """Serve, load, break, take down, and judge nine invariants on what is left.

    Exit code 1 when an invariant is broken, a goal is missed or a fault did not land.
    """
    if subset not in {"", "ci"}:
        raise ConfigError(f"--subset is {subset!r}; it must be ci, or left out")
    wanted = CI if subset else _numbers(faults)
    seconds = CI_S if subset else minutes * 60.0
    plan = schedule(seed, seconds, wanted)
    asked = Asked(seed=seed, seconds=seconds, faults=wanted, plan=plan, rate=rate)
    _tell(_run(workspace, asked, port), file, as_json=as_json)


@app.command(epilog="Example: trimtab chaos replay chaos.json")
def replay(
    report: Annotated[Path, typer.Argument(help="The report of an earlier run.")],
    workspace: Folder = Path(".trimtab/chaos"),
    port: Port = 0,
    file: File = None,
    *,
    as_json: Json = False,
) -> None:
    """Run an earlier run's schedule again, fault by fault."""
    if not report.is_file():
        raise NotFoundError(f"{report}: no such file; `trimtab chaos run --file` writes one")
    before = Report.model_validate_json(report.read_text(encoding="utf-8"))
    asked = Asked(
        seed=before.seed,
        seconds=before.seconds,
        faults=before.faults,
        plan=before.plan,
        rate=before.rate,
    )
    _tell(_run(workspace, asked, port), file, as_json=as_json)


def _run(workspace: Path, asked: Asked, port: int) -> Report:
    folder = workspace.resolve() / f"seed-{asked.seed}"
    if (folder / "ledger.db").exists():
        raise ConfigError(f"{folder} holds an earlier run; remove it, or name another --workspace")
    return run_chaos(folder, asked, port=port or free_ports(1)[0], tell=say)


def _numbers(faults: str) -> tuple[int, ...]:
    if not faults:
        return ALL
    try:
        return tuple(int(number) for number in faults.split(","))
    except ValueError as error:
        raise ConfigError(f"--faults is {faults!r}; write numbers with commas: 1,6,9") from error


def _tell(report: Report, file: Path | None, *, as_json: bool) -> None:
    if file is not None:
        file.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if as_json:
        show_json({**report.model_dump(mode="json"), "flaws": report.flaws})
    else:
        _show(report)
    if report.flaws:
        raise typer.Exit(1)


def _show(report: Report) -> None:
    happened = [
        (str(one.fault), one.action, one.evidence, f"{x.seconds:g} s", str(x.failed), str(x.lost))
        for one, x in zip(report.landed, report.recoveries, strict=True)
    ]
    show_table("faults", ("fault", "action", "evidence", "recovery", "failed", "lost"), happened)
    told = [
        (one.id, one.what, HOLDS[one.holds], str(one.checked), "; ".join(one.examples))
        for one in report.verdicts
    ]
    show_table("invariants", ("id", "what", "holds", "checked", "broken"), told)
    show_rows("chaos", report.rows(), report.seconds, as_json=False)
    say(f"{report.requests} requests; at once: {report.counts}")
    say(f"with one retry: {report.counts_with_retry}")
    for flaw in report.flaws:
        say(f"RED: {flaw}")
