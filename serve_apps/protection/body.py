"""Takes in a request no further than it is worth: its headers, its body, its depth."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from engine.config.protection import Clients
from serve_apps.protection.refusal import RefusedError

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

# A text without its end is one up to the end, or a megabyte of lone quotes would take minutes.
TEXTS = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
REST = bytes(set(range(256)) - STEPS.keys())


class HungUpError(Exception):
    """The client left before its request was complete; nobody waits for an answer."""


def check_headers(headers: Iterable[tuple[bytes, bytes]], clients: Clients) -> None:
    """Look at a request's headers before anything else is done with it.

    Raises:
        RefusedError: They are too many, or too long, or announce a body that is too large.
    """
    count = size = 0
    for name, value in headers:
        count, size = count + 1, size + len(name) + len(value)
        if name == b"content-length" and _announced(value) > clients.body_bytes:
            raise _too_large(clients.body_bytes)
    if count > clients.headers or size > clients.header_bytes:
        raise RefusedError(
            f"got {count} headers of {size} bytes together; "
            f"at most {clients.headers} of {clients.header_bytes} bytes are taken",
            status=431,
            code="headers_too_large",
            headers={"connection": "close"},
        )


async def body_of(receive: Receive, limit_bytes: int, within_s: float) -> bytes:
    """The whole body of a request.

    What was announced is not believed: only bytes that came are counted, and no more of them are
    held than the limit and one part.

    Raises:
        RefusedError: It is larger than the limit, or took longer than it may.
        HungUpError: The client left before the end.
    """
    parts: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(within_s):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise HungUpError
                parts.append(message.get("body", b""))
                size, more = size + len(parts[-1]), message.get("more_body", False)
                if size > limit_bytes:
                    raise _too_large(limit_bytes)
    except TimeoutError as error:
        raise RefusedError(
            f"the body was not complete after {within_s:g} s",
            status=408,
            code="request_timeout",
            headers={"connection": "close"},
        ) from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def check_depth(body: bytes, most: int) -> None:
    """Refuse JSON of lists and objects deep within one another before a parser descends.

    Raises:
        RefusedError: They are more than `most` deep.
    """
    if body.count(b"[") + body.count(b"{") <= most:
        return
    depth = 0
    for step in TEXTS.sub(b"", body).translate(None, REST):
        depth += STEPS[step]
        if depth > most:
            raise RefusedError(
                f"the body nests lists and objects more than {most} deep",
                status=400,
                code="invalid_request",
            )


def _announced(value: bytes) -> int:
    # Nine digits and more are too large whatever they say, and need no arithmetic.
    return int(value[:10]) if value.isdigit() else 0


def _too_large(limit_bytes: int) -> RefusedError:
    return RefusedError(
        f"a body holds at most {limit_bytes} bytes",
        status=413,
        code="too_large",
        headers={"connection": "close"},
    )
