"""The shapes of the HTTP API: what a request may hold and what an answer looks like."""

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from engine.errors import ConfigError

Json = dict[str, Any]
MAX_BODY_BYTES = 1 << 20
ROLES = ("system", "user", "assistant")
DECISIONS = ("approve", "reject", "answer")

ERROR_TYPES = {
    400: "invalid_request_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "invalid_request_error",
    502: "upstream_error",
    503: "unavailable_error",
    504: "timeout_error",
}


def json_response(
    body: Json, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON answer; floats that are no numbers are refused rather than written."""
    content = json.dumps(body, allow_nan=False, separators=(",", ":"))
    return Response(content, status, dict(headers or {}), media_type="application/json")


def error_response(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """An error in OpenAI's shape, which the stock client raises as its own class."""
    error = {"message": message, "type": ERROR_TYPES.get(status, "api_error"), "code": code}
    return json_response({"error": error | {"param": None}}, status, headers)


def failed(answer: Json, headers: Mapping[str, str] | None = None) -> Response:
    """What a request failed with; an input that the workflow can't take is the client's fault."""
    if answer["error"] == "ConfigError":
        return error_response(400, "invalid_request", answer["message"], headers)
    status = 504 if answer["status"] == "timeout" else 502
    return error_response(status, answer["error"], answer["message"], headers)


def parsed(body: bytes) -> Json:
    """The JSON object in a request's body.

    Raises:
        ConfigError: It is no JSON object, or holds half a character, which no book can keep, or a
            number that is none, which no answer can hold.
    """
    try:
        value = json.loads(body.decode(), parse_float=_number, parse_constant=_number)
        if b"\\u" in body:
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"the body is a JSON {type(value).__name__}; send an object")
    return value


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


def messages_of(body: Json) -> list[Json]:
    """The conversation's messages.

    Raises:
        ConfigError: There are none, or one lacks its role or text.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise ConfigError("`messages` must be a list of at least one message")
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise ConfigError(f"{where}: `role` must be system, user or assistant")
        if not isinstance(message.get("content"), str):
            raise ConfigError(f"{where}: `content` must be text")
    if messages[-1]["role"] != "user":
        raise ConfigError("the last message must be the user's")
    return messages


def text_of(given: Json) -> str:
    """Named inputs as one text: the only one of them that is a text, or all as JSON."""
    texts = [value for value in given.values() if isinstance(value, str)]
    return texts[0] if len(texts) == len(given) == 1 else json.dumps(given, ensure_ascii=False)


def decision_of(said: Json) -> Json:
    """What a person decided, and why.

    Raises:
        ConfigError: The decision or its reason is missing, or no text.
    """
    named = {name: said.get(name, "") for name in ("decision", "reason", "answer", "by")}
    for name, value in named.items():
        if not isinstance(value, str):
            raise ConfigError(f"`{name}` must be text")
    if named["decision"] not in DECISIONS:
        raise ConfigError(f"`decision` must be one of {', '.join(DECISIONS)}")
    return named


def native_body(answer: Json) -> Json:
    """What a workflow came to, in our own shape."""
    if answer["questions"]:
        return {"status": "waiting", "questions": answer["questions"]}
    output = answer["text"] if answer["output"] is None else answer["output"]
    return {"status": "done", "output": output, "degraded": list(answer["degraded"])}


def chat_completion(trace_id: str, created: float, workflow: str, answer: Json) -> Json:
    """An answer in the shape of OpenAI's chat completion."""
    prompt, completion = answer["input_tokens"], answer["output_tokens"]
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": (prompt or 0) + (completion or 0),
    }
    return {
        "id": f"chatcmpl-{trace_id}",
        "object": "chat.completion",
        "created": int(created),
        "model": workflow,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": answer["text"], "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        # An endpoint that counts no tokens is no reason to fail.
        "usage": None if None in (prompt, completion) else usage,
    }
