"""`trimtab questions` and `trimtab decide`: what waits for a person, and what the person says."""

import time
from typing import Annotated, Any
from urllib.parse import quote

import httpx2
import typer

from cluster.commands.promote import asked
from cluster.head import load
from cluster.options import DEFAULT, Json, Workspace
from cluster.output import clock, show, show_json, show_table
from cluster.workspace import decisions_of, existing
from engine.config.problem import listed
from engine.errors import ClusterError, ConfigError, NotFoundError, UpstreamError

ANSWERS_WITHIN_S = 330.0
"""A decided request goes on at once, and may take its whole deadline."""


def questions(
    workspace: Workspace = DEFAULT,
    workflow: Annotated[str, typer.Option(help="Only this workflow's.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Show what requests wait for a person to decide.

    Example: trimtab questions
    """
    root = existing(workspace)
    url = _url(root)
    found: list[dict[str, Any]] = []
    for name in [workflow] if workflow else _workflows(root):
        body = _said(httpx2.get(f"{url}/v1/workflows/{name}/questions", timeout=10.0))
        found += [one | {"workflow": name} for one in body["questions"]]
    if as_json:
        show_json({"questions": found})
        return
    if not found:
        show("no request waits for a person")
        return
    columns = ("question", "workflow", "since", "asks", "options")
    show_table(
        "trimtab decide QUESTION DECISION --reason ...", columns, [_row(one) for one in found]
    )


def decide(
    question: Annotated[str, typer.Argument(help="The question's id, from `trimtab questions`.")],
    decision: Annotated[str, typer.Argument(help="approve, reject or answer.")],
    reason: Annotated[str, typer.Option(help="Why; it goes on record.")],
    workspace: Workspace = DEFAULT,
    workflow: Annotated[str, typer.Option(help="Needed where several are served.")] = "",
    answer: Annotated[str, typer.Option(help="The text of an answer.")] = "",
    by: Annotated[str, typer.Option(help="Who decides.")] = "",
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Decide what a request waits for, and let it go on.

    Example: trimtab decide 5f0c:ask approve --reason "a known customer"
    """
    root = existing(workspace)
    names = [workflow] if workflow else _workflows(root)
    if len(names) != 1:
        raise ConfigError(f"--workflow is needed; served: {listed(names)}")
    asked(f"{decision} {question}: {reason}?", yes=yes)
    said = {"decision": decision, "reason": reason, "answer": answer, "by": by}
    url = f"{_url(root)}/v1/workflows/{names[0]}/questions/{quote(question)}"
    body = _said(httpx2.post(url, json=said, timeout=ANSWERS_WITHIN_S))
    if as_json:
        show_json(body)
    elif body["status"] == "waiting":
        show(f"decided; it waits for more: {listed(one['id'] for one in body['questions'])}")
    else:
        show(f"decided; the request ended: {body['output']}")


def _workflows(root: Any) -> list[str]:
    with decisions_of(root) as decisions:
        return sorted(decisions.state().workflows)


def _url(root: Any) -> str:
    cluster = load(root)
    if cluster is None or not cluster.is_alive:
        raise ClusterError(f"{root}: nothing is up here; `trimtab up` serves a workflow")
    return cluster.url


def _said(response: httpx2.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    if response.status_code < 400:
        return body
    message = body.get("error", {}).get("message", response.text)
    match response.status_code:
        case 400:
            raise ConfigError(message)
        case 404:
            raise NotFoundError(message)
        case 503:
            raise ClusterError(message)
        case _:
            raise UpstreamError(f"the request went on and failed: {message}")


def _row(question: dict[str, Any]) -> list[str]:
    waited_h = (time.time() - question["asked_at"]) / 3_600.0
    since = f"{clock(question['asked_at'])} ({waited_h:.1f} h)"
    options = ", ".join(question["options"])
    return [question["id"], question["workflow"], since, question["ask"], options]
