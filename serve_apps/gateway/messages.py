"""Reads the messages of a conversation as OpenAI's clients write them."""

from engine.errors import ConfigError
from serve_apps.gateway.call import Json

ROLES = ("system", "developer", "user", "assistant", "tool")
LAST = ("user", "tool")
"""Whose message a workflow can answer."""
PARTS: dict[str, type] = {"text": str, "image_url": dict, "input_audio": dict}
"""The kinds of parts that a message may hold; under a key of the same name stands what it is."""


def messages_of(said: Json) -> list[Json]:
    """The conversation's messages.

    Raises:
        ConfigError: There are none, or one lacks its role or what it says.
    """
    messages = said.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ConfigError("`messages` must be a list of at least one message")
    for number, message in enumerate(messages):
        _check(message, f"messages[{number}]")
    if messages[-1]["role"] not in LAST:
        raise ConfigError("the last message must be the user's, or what a tool gave")
    return messages


def is_call(call: object) -> bool:
    """Whether an assistant's message could hold this as a call of a tool."""
    if not isinstance(call, dict) or not isinstance(call.get("id"), str):
        return False
    function = call.get("function")
    if not isinstance(function, dict):
        return False
    return all(isinstance(function.get(name), str) for name in ("name", "arguments"))


def _check(message: object, where: str) -> None:
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise ConfigError(f"{where}: `role` must be one of {', '.join(ROLES)}")
    calls = message.get("tool_calls")
    if calls is not None and not (isinstance(calls, list) and all(map(is_call, calls))):
        raise ConfigError(f"{where}: `tool_calls` must be calls with their `id` and `function`")
    may_be_silent = message["role"] == "assistant" and calls
    content = message.get("content")
    if not (_is_content(content) or (content is None and may_be_silent)):
        raise ConfigError(f"{where}: `content` must be text, or a list of parts")
    if message["role"] == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise ConfigError(f"{where}: `tool_call_id` must name the call that this answers")


def _is_content(content: object) -> bool:
    if isinstance(content, list):
        return all(map(_is_part, content))
    return isinstance(content, str)


def _is_part(part: object) -> bool:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str) or kind not in PARTS:
        return False
    return isinstance(part.get(kind), PARTS[kind])
