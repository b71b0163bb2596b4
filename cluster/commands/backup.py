"""`trimtab backup` and `trimtab restore`: a workspace's books, copied and put back."""

import time
from pathlib import Path
from typing import Annotated

import typer

from cluster.options import DEFAULT, Workspace
from cluster.output import show
from engine.books import backup as books


def backup(workspace: Workspace = DEFAULT) -> None:
    """Copy the workspace's books beside it, while it works.

    Example: trimtab backup --workspace .trimtab
    """
    show(str(books.backup(workspace, time.time())))


def restore(
    source: Annotated[Path, typer.Argument(help="A backup, as `trimtab backup` printed it.")],
    workspace: Workspace = DEFAULT,
) -> None:
    """Put a backup in the workspace's place; the old workspace is only moved aside.

    Example: trimtab restore .trimtab-backups/20270115T080000.000000Z --workspace .trimtab
    """
    aside = books.restore(source, workspace.resolve())
    show("restored" if aside is None else f"restored; what was there before lies in {aside}")
