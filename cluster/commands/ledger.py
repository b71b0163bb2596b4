"""`trimtab ledger`: the book of decisions, entry by entry."""

import json
import time
from typing import Annotated

import typer

from cluster.options import DEFAULT, Json, Workspace
from cluster.output import clock, show, show_json
from cluster.workspace import decisions_of
from engine.books.ledger import Entry
from engine.errors import ConfigError
from engine.experiment.entries import KINDS

POLL_S = 0.5


def ledger(
    workspace: Workspace = DEFAULT,
    after: Annotated[int, typer.Option(help="Only entries after this number.")] = 0,
    kind: Annotated[str | None, typer.Option(help="Only entries of this kind.")] = None,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with entries as they are appended.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the ledger's entries.

    With --json, one JSON object a line.

    Example: trimtab ledger --after 10 --kind Promoted
    """
    if kind is not None and kind not in KINDS:
        raise ConfigError(f"--kind is {kind!r}; it is one of {', '.join(KINDS)}")
    with decisions_of(workspace) as decisions:
        while True:
            for entry in decisions.ledger.read(after):
                after = entry.seq
                if kind is None or entry.kind == kind:
                    _show(entry, as_json=as_json)
            if not follow:
                return
            time.sleep(POLL_S)


def _show(entry: Entry, *, as_json: bool) -> None:
    if as_json:
        show_json(dict(entry))  # its body is JSON; pydantic, walking a JsonValue, eats interrupts
        return
    body = json.dumps(entry.body, sort_keys=True)
    shown = body if len(body) <= 120 else f"{body[:117]}..."
    show(f"{entry.seq:>5}  {clock(entry.at)}  {entry.actor:<12} {entry.kind:<18} {shown}")
