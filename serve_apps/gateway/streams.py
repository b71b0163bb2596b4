"""An answer as it comes about, in the shapes that clients listen for."""

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass

from serve_apps.gateway.call import Answered, Event, Json
from serve_apps.gateway.protocol import (
    call_of,
    finish_of,
    json_bytes,
    native_body,
    status_of,
    usage_of,
)
from serve_apps.told import error_body

DONE = b"data: [DONE]\n\n"


class Unfinished:
    """The answer's text so far, and what a client that heard it still lacks."""

    def __init__(self) -> None:
        self.told = ""

    def piece(self, event: Event) -> str:
        """The part of the answer in this event, if any."""
        kind, said = event
        text = str(said["text"]) if kind == "chunk" and said.get("answer") else ""
        self.told += text
        return text

    def rest(self, answered: Answered | None) -> tuple[str, Json | None]:
        """What is missing at the end, or an error in OpenAI's shape."""
        if answered is None:
            return "", error_body(503, "too_slow", "the client read too slowly to go on")
        outcome = answered.outcome
        if outcome["status"] != "ok":
            return "", error_body(status_of(outcome), outcome["error"], outcome["message"])
        if not outcome["text"].startswith(self.told):
            why = "the answer became another one than was told; ask again without `stream`"
            return "", error_body(502, "diverged", why)
        return outcome["text"][len(self.told) :], None


@dataclass(frozen=True)
class Begun:
    """A stream of which enough is known to answer with 200, or with what it failed with."""

    ids: Json
    """The request's `trace_id`, `conversation_id` and `variant`."""
    first: Event
    """The first event that says something of the answer."""

    @property
    def headers(self) -> dict[str, str]:
        """What the answer says of itself before it is known."""
        return {
            "x-trimtab-variant": self.ids["variant"],
            "x-trimtab-trace-id": self.ids["trace_id"],
            "x-trimtab-conversation": self.ids["conversation_id"],
        }


async def begun(events: AsyncGenerator[Event]) -> Begun:
    """Wait for a stream's first word.

    Raises:
        ConfigError, NotFoundError, ClusterError, StoreFullError: The request was not begun.
    """
    _, ids = await anext(events)
    first = await anext(events)
    while first[0] not in ("chunk", "end"):
        first = await anext(events)
    return Begun(ids, first)


async def chat_chunks(
    begun: Begun, events: AsyncGenerator[Event], name: str, *, usage: bool
) -> AsyncGenerator[bytes]:
    """Server-sent events in the shape of OpenAI's chat completion chunks.

    An error after the beginning is an event, which the stock client raises.
    """
    unfinished = Unfinished()
    head = {
        "id": f"chatcmpl-{begun.ids['trace_id']}",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": name,
    }

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        return _data(head | {"choices": choices})

    yield chunk({"role": "assistant", "content": ""})
    async with aclosing(events):
        event = begun.first
        while event[0] != "end":
            if piece := unfinished.piece(event):
                yield chunk({"content": piece})
            event = await anext(events)
    answered = event[1]["answered"]
    rest, error = unfinished.rest(answered)
    if error is not None:
        yield _data(error)
        return
    if rest:
        yield chunk({"content": rest})
    for part in _call_parts(answered.outcome["tool_calls"]):
        yield chunk({"tool_calls": [part]})
    yield chunk({}, finish_of(answered.outcome))
    if usage:
        yield _data(head | {"choices": [], "usage": usage_of(answered.outcome)})
    yield DONE


def _call_parts(calls: list[Json]) -> Iterator[Json]:
    """What the client has to call, as OpenAI tells it: who first, then with what."""
    for index, wanted in enumerate(calls):
        call = call_of(wanted)
        yield call | {"index": index, "function": call["function"] | {"arguments": ""}}
        yield {"index": index, "function": {"arguments": wanted["arguments"]}}


async def native_events(events: AsyncGenerator[Event]) -> AsyncGenerator[Event]:
    """The events of a run as they are told to a client: plan, node, chunk, then done or error."""
    unfinished = Unfinished()
    async with aclosing(events):
        async for event in events:
            kind, said = event
            unfinished.piece(event)
            if kind != "end":
                yield event
                continue
            answered = said["answered"]
            _, error = unfinished.rest(answered)
            if error is not None:
                yield "error", error["error"]
            else:
                yield "done", native_body(answered.outcome) | {"trace_id": answered.trace_id}


def sent(event: Event) -> bytes:
    """A server-sent event."""
    kind, said = event
    return b"event: " + kind.encode() + b"\ndata: " + json_bytes(said) + b"\n\n"


def _data(body: Json) -> bytes:
    return b"data: " + json_bytes(body) + b"\n\n"
