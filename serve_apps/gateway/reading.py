"""Reads what a client asks, in each of the shapes that it may come in."""

from engine.errors import ConfigError
from serve_apps.gateway.asgi import Incoming
from serve_apps.gateway.call import Call, Json
from serve_apps.gateway.protocol import messages_of, text_of
from serve_apps.telemetry.context import TRACEPARENT, TRACESTATE, TraceContext, incoming


def chat_call(request: Incoming, said: Json) -> Call:
    """A chat completion as a call: its model is the workflow.

    Raises:
        ConfigError: It can't be read.
    """
    name = said.get("model")
    if not isinstance(name, str):
        raise ConfigError("`model` must be the name of a workflow")
    metadata = object_in(said, "metadata")
    conversation = str(metadata.get("conversation_id", ""))
    return _call(request, name, messages_of(said), conversation)


def native_call(request: Incoming, name: str, said: Json) -> Call:
    """A run of a workflow as a call: a text, named inputs, or messages.

    Raises:
        ConfigError: It can't be read.
    """
    given, conversation = said.get("input"), str(said.get("conversation_id", ""))
    if isinstance(given, str):
        return _call(request, name, [{"role": "user", "content": given}], conversation)
    if isinstance(given, dict):
        messages: list[Json] = [{"role": "user", "content": text_of(given)}]
        return _call(request, name, messages, conversation, given)
    return _call(request, name, messages_of(said), conversation)


def _call(
    request: Incoming,
    name: str,
    messages: list[Json],
    conversation: str,
    given: Json | None = None,
) -> Call:
    return Call(
        workflow=name,
        messages=messages,
        given=given,
        conversation=request.header("x-trimtab-conversation") or conversation,
        forced=request.header("x-trimtab-variant"),
        key=request.header("authorization").removeprefix("Bearer "),
        context=_context(request) if b"traceparent" in request.headers else None,
    )


def object_in(said: Json, name: str) -> Json:
    """An object within a request; empty where the client sent none.

    Raises:
        ConfigError: It is something else.
    """
    found = said.get(name) or {}
    if not isinstance(found, dict):
        raise ConfigError(f"`{name}` must be an object")
    return found


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
