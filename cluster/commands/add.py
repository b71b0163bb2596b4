"""`trimtab add`: a person asks a running experiment to try a candidate."""

import time
from typing import Annotated

import typer

from cluster.options import DEFAULT, Json, Workspace
from cluster.output import show, show_json
from cluster.workspace import decisions_of
from engine.errors import ConfigError
from search.adding import addition


def add(
    experiment: Annotated[str, typer.Argument(help="The experiment's name.")],
    changes: Annotated[
        list[str], typer.Option("--set", metavar="PATH=VALUE", help="A setting; repeat for more.")
    ],
    reason: Annotated[str, typer.Option(help="Why; it goes on record.")] = "",
    workspace: Workspace = DEFAULT,
    *,
    as_json: Json = False,
) -> None:
    """Ask a running experiment to try a candidate.

    What is not set stays as the baseline has it. The candidate is tried under the same rules as
    any other.

    Example: trimtab add docs-qa --set llm.temperature=0.1 --set rag.top_k=6
    """
    texts = dict(_setting(text) for text in changes)
    if len(texts) < len(changes):
        raise ConfigError("--set names the same setting twice; write each once")
    with decisions_of(workspace) as decisions:
        entry = decisions.append(
            lambda newest: addition(newest, experiment, texts, reason.strip()),
            actor="operator",
            clock=time.time,
        )
    assert entry is not None
    if as_json:
        show_json({"seq": entry.seq, "experiment": experiment, "changes": entry.body["changes"]})
        return
    settings = ", ".join(f"{path}={text}" for path, text in texts.items())
    show(f"{experiment} will try {settings} as its next candidate (entry {entry.seq})")


def _setting(text: str) -> tuple[str, str]:
    path, separator, value = text.partition("=")
    if not separator or not path:
        raise ConfigError(f"--set is {text!r}; write PATH=VALUE, such as rag.top_k=6")
    return path, value
