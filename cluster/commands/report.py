"""`trimtab report`: an experiment's report."""

from pathlib import Path
from typing import Annotated

import typer

from cluster.options import DEFAULT, Json, Workspace
from cluster.output import show, show_json
from cluster.workspace import decisions_of, existing
from engine.errors import NotFoundError


def report(
    experiment: Annotated[
        str | None, typer.Argument(help="The experiment's name; the newest without it.")
    ] = None,
    workspace: Workspace = DEFAULT,
    out: Annotated[
        Path | None, typer.Option(help="A folder for the files; the workspace's without it.")
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """Write an experiment's report as HTML and Markdown.

    Example: trimtab report docs-qa --out reports/docs-qa
    """
    from search.reports import write_report

    root = existing(workspace)
    name = experiment or _newest(root)
    paths = write_report(root, name, out or root / "reports" / name)
    if as_json:
        show_json({"experiment": name, "html": str(paths.html), "markdown": str(paths.markdown)})
        return
    show(str(paths.html))
    show(str(paths.markdown))


def _newest(root: Path) -> str:
    with decisions_of(root) as decisions:
        started = [e for e in decisions.ledger.read() if e.kind == "ExperimentStarted"]
    if not started:
        raise NotFoundError(f"{root}: no experiment was started; `trimtab tune EXPERIMENT` does it")
    return str(started[-1].body["experiment"])
