"""`trimtab rollback`: the former baseline again, in one command."""

import time
from typing import Annotated

import typer

from cluster.address import follow
from cluster.options import DEFAULT, Json, Workspace
from cluster.output import show, show_json
from cluster.workspace import decisions_of, existing, workflow_of
from engine.errors import ConfigError, NotFoundError
from engine.experiment.entries import Decision, RolledBack
from engine.experiment.state import State
from search.active import write_active_of


def rollback(
    workflow: Annotated[
        str | None, typer.Argument(help="The workflow; not needed where there is one.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it goes on record.")] = "by an operator",
    workspace: Workspace = DEFAULT,
    *,
    as_json: Json = False,
) -> None:
    """Make the former baseline the baseline again.

    It never asks: going back must be quick. Every open window is closed, the active
    configuration file is the former one again, and where a cluster is up the command returns
    when its traffic follows.

    Example: trimtab rollback docs-qa --reason "users complain"
    """
    root = existing(workspace)
    if not reason.strip():
        raise ConfigError("--reason is empty; say why, it goes on record")
    with decisions_of(root) as decisions:
        known = workflow_of(decisions.state(), workflow)
        before, after = known.baseline, known.previous
        if after is None or after == before:
            raise NotFoundError(f"{known.name} has had no other baseline than {before}")

        def decide(newest: State) -> Decision | None:
            if newest.workflow(known.name).baseline != before:
                return None
            return RolledBack(
                workflow=known.name, before=before, after=after, reason=reason.strip()
            )

        entry = decisions.append(decide, actor="operator", clock=time.time)
        if entry is None:
            raise ConfigError(f"{known.name} has another baseline by now; look and try again")
        path = write_active_of(root, decisions.state().workflow(known.name))
    in_force = follow(root, known.name, entry.seq)
    if as_json:
        done = {"seq": entry.seq, "before": before, "after": after, "active": str(path)}
        show_json(done | {"in_force": in_force})
        return
    traffic = "all traffic follows" if in_force else "no cluster is up to serve it"
    show(f"{after} is the baseline of {known.name} again (entry {entry.seq}), {traffic}; {path}")
