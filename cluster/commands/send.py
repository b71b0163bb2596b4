"""`trimtab send`: traffic from people who ask and rate."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from cluster.demo.files import QUESTIONS
from cluster.demo.users import Habits, Users
from cluster.head import load
from cluster.options import Json, Workspace
from engine.errors import ClusterError


def send(
    workflow: Annotated[str, typer.Argument(help="The workflow's name.")] = "docs-qa",
    workspace: Workspace = Path(".trimtab"),
    questions: Annotated[Path, typer.Option(help="Questions with the facts of an answer.")] = (
        QUESTIONS
    ),
    rate: Annotated[float, typer.Option(help="Requests a second.")] = 50.0,
    seconds: Annotated[float, typer.Option(help="How long.")] = 60.0,
    seed: Annotated[int, typer.Option(help="What the users' dice begin with.")] = 0,
    *,
    as_json: Json = False,
) -> None:
    """Let many users ask a workflow over HTTP and rate its answers.

    Example: trimtab send docs-qa --rate 50 --seconds 120
    """
    root = workspace.resolve()
    cluster = load(root)
    if cluster is None or not cluster.is_alive:
        raise ClusterError(f"{root}: nothing is up; `trimtab up CONFIG` starts a cluster")
    journal = root / "journal.jsonl"
    habits = Habits(
        url=cluster.url,
        workflow=workflow,
        questions=str(questions),
        rate=rate,
        seed=seed,
        duration_s=seconds,
        journal=str(journal),
    )
    with journal.open("a", encoding="utf-8", buffering=1) as book:
        users = Users(habits, book)
        asyncio.run(users.live(asyncio.Event()))
    summary = {"asked": users.asked, "errors": users.errors, "journal": str(journal)}
    typer.echo(json.dumps(summary) if as_json else f"{users.asked} asked, {users.errors} failed")
