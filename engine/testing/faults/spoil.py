"""Sends a response as an outcome wants it: whole, late, torn, or as something else."""

import asyncio
import dataclasses
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from engine.testing.faults import protocol
from engine.testing.faults.outcomes import (
    Answer,
    Body,
    Broken,
    Cut,
    Drip,
    Huge,
    Length,
    Outcome,
    Raw,
    Stall,
    Status,
    Unfinished,
)
from engine.testing.faults.wire import Response, Wire, chunk

EVENTS = "text/event-stream"
_BLOCK = b" " * (1 << 20)


async def deliver(wire: Wire, response: Response, outcome: Outcome) -> None:
    """Send the response that the client would get on a good day, as the outcome spoils it."""
    match outcome:
        case Cut():
            await _cut(wire, response, outcome)
        case Stall():
            await _stall(wire, response, outcome)
        case Drip():
            await wire.put(response.head())
            for value in b"".join(response.frames()):
                await wire.put(bytes([value]))
                await asyncio.sleep(outcome.delay_s)
        case Raw():
            await wire.put(outcome.text.encode())
            await wire.end(reset=False)
        case Length():
            whole = dataclasses.replace(response, chunked=False)
            await wire.put(whole.head(off_by=outcome.off_by) + b"".join(whole.pieces))
            await wire.end(reset=False)
        case _:
            await wire.send(_changed(response, outcome))


def refusal(outcome: Status) -> Response:
    """An error object under its status."""
    headers: dict[str, str] = {}
    if (wait_s := outcome.retry_after_s) is not None:
        match outcome.retry_after_as:
            case "seconds":
                headers["retry-after"] = f"{wait_s:g}"
            case "milliseconds":
                headers["retry-after-ms"] = f"{wait_s * 1e3:g}"
            case "date":
                at = datetime.now(UTC) + timedelta(seconds=wait_s)
                headers["retry-after"] = format_datetime(at, usegmt=True)
            case "nonsense":
                headers["retry-after"] = "when the moon is full"
    body = protocol.problem(outcome.status, outcome.message, code=outcome.code)
    return Response([json.dumps(body).encode()], outcome.status, headers=headers)


def event(text: str) -> bytes:
    """One event of a stream."""
    return f"data: {text}\n\n".encode()


DONE = event("[DONE]")


def _changed(
    response: Response, outcome: Answer | Status | Body | Huge | Unfinished | Broken
) -> Response:
    streamed = response.content_type == EVENTS
    pieces = response.pieces
    match outcome:
        case Answer():
            return response
        case Status():
            return refusal(outcome)
        case Body():
            text = outcome.text
            own = [event(text), DONE] if streamed else [text.encode()]
            return dataclasses.replace(response, pieces=own)
        case Huge():
            headers = {"x-padding": "x" * (outcome.header_kib << 10)} if outcome.header_kib else {}
            # White space before JSON, and a comment before the events, change nothing but the size.
            block = b":" + _BLOCK[1:-2] + b"\n\n" if streamed else _BLOCK
            padded = [block] * outcome.body_mib + list(pieces)
            return dataclasses.replace(response, pieces=padded, headers=headers)
        case Unfinished():
            return dataclasses.replace(response, pieces=[p for p in pieces if p != DONE])
        case Broken() if streamed:
            last = event(json.dumps(protocol.problem(500, outcome.message)))
            return dataclasses.replace(response, pieces=[*pieces[: len(pieces) // 2], last])
        case Broken():
            return refusal(Status(status=500, message=outcome.message))


async def _cut(wire: Wire, response: Response, outcome: Cut) -> None:
    match outcome.place:
        case "before_headers":
            pass
        case "after_headers":
            await wire.put(response.head())
        case "mid_body":
            await wire.put(response.head() + _halves(response)[0])
        case "mid_chunk":
            whole = dataclasses.replace(response, chunked=True)
            torn = chunk(b"".join(response.pieces))
            await wire.put(whole.head() + torn[: len(torn) // 2])
    await wire.end(reset=outcome.how == "reset")


async def _stall(wire: Wire, response: Response, outcome: Stall) -> None:
    first, rest = _halves(response)
    head = response.head()
    now = {"before_headers": b"", "after_headers": head, "mid_body": head + first}[outcome.place]
    await wire.put(now)
    await asyncio.sleep(outcome.for_s)
    await wire.put((head + first + rest)[len(now) :])


def _halves(response: Response) -> tuple[bytes, bytes]:
    """The body cut in two, between two events where there are several."""
    frames = response.frames()
    if len(frames) > 1:
        middle = len(frames) // 2
        return b"".join(frames[:middle]), b"".join(frames[middle:])
    (body,) = frames
    return body[: len(body) // 2], body[len(body) // 2 :]
