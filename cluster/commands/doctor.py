"""`trimtab doctor`: what is wrong here, and what to do."""

import os
from dataclasses import asdict
from typing import Annotated

import typer

from cluster.doctor.machine import machine_findings
from cluster.doctor.workspace import workspace_findings
from cluster.options import DEFAULT, Json, Workspace
from cluster.output import say, show_json, show_table
from engine.books.quarantine import quarantine_damaged


def doctor(
    workspace: Workspace = DEFAULT,
    port: Annotated[int, typer.Option(help="The HTTP port that is meant to be used.")] = 8000,
    *,
    move_damaged: Annotated[
        bool, typer.Option("--move-damaged", help="Move files aside that can't be read.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check this machine and workspace, and say what to do.

    Exit code 1 when anything fails; warnings do not count.

    Example: trimtab doctor --workspace .trimtab
    """
    root = workspace.resolve()
    if move_damaged:
        for problem in quarantine_damaged(root):
            say(f"moved aside: {problem.path}: {problem.why}")
    findings = [*machine_findings(root, port, os.environ), *workspace_findings(root)]
    if as_json:
        show_json([asdict(finding) for finding in findings])
    else:
        rows = [[one.check, one.grade, one.found, one.advice] for one in findings]
        show_table("trimtab doctor", ("check", "is", "found", "what to do"), rows)
    if any(finding.grade == "fail" for finding in findings):
        raise typer.Exit(1)
