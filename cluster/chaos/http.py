"""A single request of a fault's action, beside the clients' own."""

import json
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass

from cluster.chaos.scenario import NAME

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Told:
    """What the deployment answered; status 0 where it did not."""

    status: int
    code: str = ""
    variant: str = ""


def say(url: str, *, variant: str = "") -> Told:
    """Ask the workflow, of one variant where it is named."""
    body = {"model": NAME, "messages": [{"role": "user", "content": "probe"}]}
    headers = {"x-trimtab-variant": variant} if variant else {}
    return post(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)


def post(url: str, body: bytes, headers: dict[str, str] | None = None) -> Told:
    """Send this body, whatever it is."""
    sent = {"content-type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data=body, headers=sent)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
            return Told(answer.status, variant=answer.headers.get("x-trimtab-variant", ""))
    except urllib.error.HTTPError as error:
        return Told(error.code, _code(error.read()))
    except OSError:
        return Told(0)


def raw(port: int, content: bytes) -> int:
    """Send bytes that may be no HTTP; the status that came back, 0 for none."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
            connection.sendall(content)
            head = connection.recv(4_096).split(b" ", 2)
    except OSError:
        return 0
    return int(head[1]) if len(head) > 1 and head[1].isdigit() else 0


def _code(body: bytes) -> str:
    try:
        error = json.loads(body)["error"]
        return str(error["code"])
    except (ValueError, KeyError, TypeError):
        return ""
