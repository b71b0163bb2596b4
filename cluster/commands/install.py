"""`trimtab install`: a new version of a workflow takes over while it is served."""

from pathlib import Path
from typing import Annotated

import typer

from cluster.address import follow
from cluster.indexing import build_indexes
from cluster.options import DEFAULT, Json, Workspace
from cluster.output import show, show_json
from cluster.session import install
from cluster.workspace import existing
from engine.config.experiment import load_workflow


def install_workflow(
    config: Annotated[Path, typer.Argument(help="The workflow's file, as it is to be.")],
    workspace: Workspace = DEFAULT,
    *,
    as_json: Json = False,
) -> None:
    """Install another version of a workflow without dropping a request.

    Requests that are running, and those that wait for a person, end on the version they began
    with. Where a cluster is up the command returns when new requests meet the new version.

    Example: trimtab install configs/demo/workflow.yaml
    """
    root = existing(workspace)
    workflow = load_workflow(config)
    build_indexes(root, [workflow])
    seq = install(root, workflow)
    in_force = follow(root, workflow.workflow, seq)
    if as_json:
        show_json({"workflow": workflow.workflow, "seq": seq, "in_force": in_force})
        return
    traffic = "new requests meet it" if in_force else "no cluster is up to serve it"
    show(f"{workflow.workflow}: installed (entry {seq}), {traffic}")
