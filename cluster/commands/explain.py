"""`trimtab explain`: each decision in words."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from cluster.options import DEFAULT, Json, Workspace
from cluster.output import clock, show, show_json
from cluster.workspace import decisions_of
from search.explain import Explained, changes_in_words
from search.explain import explain as explained

CHANGING = {"CandidateAdded", "WindowOpened", "Nominated", "Promoted", "RolledBack"}
"""Kinds of entries that say which settings they change."""


def explain(
    about: Annotated[
        str | None, typer.Argument(help="An experiment, a window or a variant; all without it.")
    ] = None,
    workspace: Workspace = DEFAULT,
    *,
    as_json: Json = False,
) -> None:
    """Tell each decision in words, with its figures.

    Example: trimtab explain docs-qa
    """
    with decisions_of(workspace) as decisions:
        entries = decisions.ledger.read()
    told = explained(entries, about)
    if as_json:
        show_json([_data(one) for one in told])
        return
    for one in told:
        _show(one)


def _data(one: Explained) -> dict[str, Any]:
    data = asdict(one)
    data["changes"] = {
        path: {"before": before, "after": after} for path, (before, after) in one.changes.items()
    }
    return data


def _show(one: Explained) -> None:
    show(f"{one.seq:>4}  {clock(one.at)}  {one.kind}, by {one.actor}")
    show(f"      {one.text}")
    if one.changes and one.kind in CHANGING:
        show(f"      Changes: {changes_in_words(one.changes)}.")
    if one.reason:
        show(f"      Recorded: {one.reason}")
