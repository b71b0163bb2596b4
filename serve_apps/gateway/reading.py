"""Reads what a client asks, in each of the shapes that it may come in."""

import re
from typing import Any

from engine.errors import ConfigError
from serve_apps.gateway.asgi import Incoming
from serve_apps.gateway.call import Call, Json
from serve_apps.gateway.messages import messages_of
from serve_apps.gateway.offers import offer_of, refuse_others
from serve_apps.gateway.protocol import text_of
from serve_apps.telemetry.context import TRACEPARENT, TRACESTATE, TraceContext, incoming

CONVERSATION = re.compile(r"[ -~]*")
LONGEST_ID = 512


def chat_call(request: Incoming, said: Json) -> Call:
    """A chat completion as a call: its model is the workflow.

    Raises:
        ConfigError: It can't be read.
    """
    name = said.get("model")
    if not isinstance(name, str):
        raise ConfigError("`model` must be the name of a workflow")
    refuse_others(said)
    conversation = text_in(object_in(said, "metadata"), "conversation_id")
    return Call(name, messages_of(said), offer=offer_of(said), **_about(request, conversation))


def native_call(request: Incoming, name: str, said: Json, *, run: str = "") -> Call:
    """A run of a workflow as a call: a text, named inputs, or messages.

    `run` names it, where it may have been begun before.

    Raises:
        ConfigError: It can't be read.
    """
    given = said.get("input")
    if given is None:
        messages = messages_of(said)
    elif "messages" in said:
        raise ConfigError("write either `input` or `messages`; the input is the question itself")
    elif isinstance(given, str | dict):
        text = given if isinstance(given, str) else text_of(given)
        messages = [{"role": "user", "content": text}]
    else:
        raise ConfigError("`input` must be text, or an object of named inputs")
    return Call(
        workflow=name,
        messages=messages,
        given=given if isinstance(given, dict) else None,
        id=run,
        **_about(request, text_in(said, "conversation_id")),
    )


def _about(request: Incoming, conversation: str) -> Any:
    """What the headers say of a call.

    Raises:
        ConfigError: The conversation's id can't be sent back.
    """
    said = request.header("x-trimtab-conversation") or conversation
    # It comes back in a header, which holds neither every character nor any length.
    if len(said) > LONGEST_ID or not CONVERSATION.fullmatch(said):
        raise ConfigError(f"a conversation's id is at most {LONGEST_ID} plain ASCII characters")
    return {
        "conversation": said,
        "forced": request.header("x-trimtab-variant"),
        "key": request.key,
        "context": _context(request) if b"traceparent" in request.headers else None,
    }


def object_in(said: Json, name: str) -> Json:
    """An object within a request; empty where the client sent none.

    Raises:
        ConfigError: It is something else.
    """
    found = said.get(name)
    if not isinstance(found, dict | None):
        raise ConfigError(f"`{name}` must be an object")
    return found or {}


def text_in(said: Json, name: str) -> str:
    """A text within a request; empty where the client sent none.

    Raises:
        ConfigError: It is something else.
    """
    found = said.get(name)
    if not isinstance(found, str | None):
        raise ConfigError(f"`{name}` must be text")
    return found or ""


def flag(said: Json, name: str) -> bool:
    """A switch of a request; off where the client said nothing.

    Raises:
        ConfigError: It is neither on nor off.
    """
    found = said.get(name)
    if not isinstance(found, bool | None):
        raise ConfigError(f"`{name}` must be true or false")
    return bool(found)


def _context(request: Incoming) -> TraceContext | None:
    return incoming({name: request.header(name) for name in (TRACEPARENT, TRACESTATE)})
