"""`trimtab promote`: a person makes a variant the baseline."""

import time
from typing import Annotated

import typer

from cluster.address import follow
from cluster.options import DEFAULT, Json, Workspace
from cluster.output import show, show_json
from cluster.workspace import decisions_of, existing, variant_named
from engine.errors import ConfigError
from engine.experiment.entries import Decision, Promoted
from engine.experiment.state import State
from engine.experiment.variant import differences
from search.active import write_active_of
from search.explain import changes_in_words


def promote(
    variant: Annotated[str, typer.Argument(help="The variant's hash, or its beginning.")],
    reason: Annotated[str, typer.Option(help="Why; it goes on record.")],
    workspace: Workspace = DEFAULT,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Make a variant the baseline, by a person's decision.

    Every open window is closed. Where a cluster is up the command returns when traffic follows.

    Example: trimtab promote 3b1b96170ce4 --reason "approved by the team"
    """
    root = existing(workspace)
    if not reason.strip():
        raise ConfigError("--reason is empty; say why, it goes on record")
    with decisions_of(root) as decisions:
        workflow, chosen = variant_named(decisions.state(), variant)
        before = workflow.baseline
        if chosen.hash == before:
            raise ConfigError(f"{chosen.hash} is the baseline of {workflow.name} already")
        changes = differences(workflow.variants[before], chosen)
        asked(f"promote {chosen.hash} over {before}: {changes_in_words(changes)}?", yes=yes)

        def decide(newest: State) -> Decision | None:
            if newest.workflow(workflow.name).baseline != before:
                return None
            return Promoted(
                workflow=workflow.name, before=before, after=chosen.hash, reason=reason.strip()
            )

        entry = decisions.append(decide, actor="operator", clock=time.time)
        if entry is None:
            raise ConfigError(f"{workflow.name} has another baseline by now; look and try again")
        path = write_active_of(root, decisions.state().workflow(workflow.name))
    in_force = follow(root, workflow.name, entry.seq)
    if as_json:
        done = {"seq": entry.seq, "before": before, "after": chosen.hash, "active": str(path)}
        show_json(done | {"in_force": in_force})
        return
    traffic = "all traffic follows" if in_force else "no cluster is up to serve it"
    name = workflow.name
    show(f"{chosen.hash} is the baseline of {name} now (entry {entry.seq}), {traffic}; {path}")


def asked(question: str, *, yes: bool) -> None:
    """Have a person confirm, on standard error, unless they said yes beforehand.

    Raises:
        ConfigError: They said no, or there is nobody to ask.
    """
    if yes:
        return
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort as error:
        raise ConfigError("nobody confirmed it; --yes does without asking") from error
    if not agreed:
        raise ConfigError("not confirmed; nothing was changed")
