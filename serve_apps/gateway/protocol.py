"""The shapes of the HTTP API: what a request may hold and what an answer looks like."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from engine.errors import (
    ClusterError,
    ConfigError,
    DeadlineError,
    NotFoundError,
    StoreFullError,
    TrimtabError,
    UpstreamError,
)
from serve_apps.gateway.call import Answered, Json
from serve_apps.protection.refusal import RefusedError
from serve_apps.told import error_body

LONG_NUMBER = re.compile(rb"\d{19}")
DECISIONS = ("approve", "reject", "answer")

REFUSALS: dict[type[TrimtabError], tuple[int, str]] = {
    NotFoundError: (404, "not_found"),
    ConfigError: (400, "invalid_request"),
    ClusterError: (503, "starting"),
    UpstreamError: (502, "replica_died"),
    StoreFullError: (503, "storage_full"),
    DeadlineError: (504, "timeout"),
}


@dataclass(frozen=True)
class Reply:
    """One HTTP answer, ready to leave."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


def json_bytes(body: object) -> bytes:
    """A JSON text; half a character is written as its escape, a number of any size in full."""
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


def json_reply(body: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """A JSON answer."""
    return Reply(status, json_bytes(body), headers or {})


def error_reply(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Reply:
    """An answer that says what went wrong; a client may come back after 429 and 503."""
    told = dict(headers or {})
    if status in (429, 503):
        told.setdefault("retry-after", "1")
    return json_reply(error_body(status, code, message), status, told)


def failure_of(error: TrimtabError) -> Reply:
    """The answer to a request that was not begun."""
    if isinstance(error, RefusedError):
        return error_reply(error.status, error.code, str(error), error.headers)
    for kind, (status, code) in REFUSALS.items():
        if isinstance(error, kind):
            told = {"retry-after": "5"} if isinstance(error, StoreFullError) else None
            return error_reply(status, code, str(error), told)
    return error_reply(500, "internal", str(error))


def status_of(outcome: Json) -> int:
    """The HTTP status of what a request came to."""
    if outcome["status"] == "ok":
        return 202 if outcome["questions"] else 200
    if outcome["error"] == "ConfigError":
        return 400
    return 504 if outcome["status"] == "timeout" else 502


def failed(outcome: Json, headers: Mapping[str, str] | None = None) -> Reply:
    """What a request failed with; an input that the workflow can't take is the client's fault."""
    status = status_of(outcome)
    code = "invalid_request" if status == 400 else outcome["error"]
    return error_reply(status, code, outcome["message"], headers)


def parsed(body: bytes) -> Json:
    """The JSON object in a request's body.

    Raises:
        ConfigError: It is no JSON object, or holds half a character, which no book can keep, or a
            number that is none, which no answer can hold.
    """
    try:
        # Only a number of this length could lose digits on the short way.
        value = _exactly(body) if LONG_NUMBER.search(body) else orjson.loads(body)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"the body is a JSON {type(value).__name__}; send an object")
    return value


def _exactly(body: bytes) -> object:
    value = json.loads(body.decode(), parse_float=_number, parse_constant=_number)
    json.dumps(value, ensure_ascii=False).encode()
    return value


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


def words_of(message: Json) -> str:
    """What a message says in words."""
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return " ".join(str(one.get("text", "")) for one in content if one["type"] == "text")


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


def usage_of(answer: Json) -> Json | None:
    """Tokens in OpenAI's shape; None where the endpoint counted none, which is no failure."""
    prompt, completion = answer["input_tokens"], answer["output_tokens"]
    if prompt is None or completion is None:
        return None
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def chat_completion(answered: Answered) -> Json:
    """An answer in the shape of OpenAI's chat completion."""
    outcome = answered.outcome
    return {
        "id": f"chatcmpl-{answered.trace_id}",
        "object": "chat.completion",
        "created": int(answered.created),
        "model": answered.workflow,
        "choices": [
            {
                "index": 0,
                "message": turn_of(outcome) | {"refusal": None},
                "logprobs": None,
                "finish_reason": finish_of(outcome),
            }
        ],
        "usage": usage_of(outcome),
    }


def turn_of(outcome: Json) -> Json:
    """The assistant's message: its text, and what the client has to call."""
    turn = {"role": "assistant", "content": outcome["text"]}
    calls = outcome["tool_calls"]
    if not calls:
        return turn
    return turn | {"content": outcome["text"] or None, "tool_calls": [call_of(o) for o in calls]}


def call_of(wanted: Json) -> Json:
    """A call of a client's tool."""
    function = {"name": wanted["name"], "arguments": wanted["arguments"]}
    return {"id": wanted["id"], "type": "function", "function": function}


def finish_of(outcome: Json) -> str:
    """Why the assistant stopped."""
    return "tool_calls" if outcome["tool_calls"] else "stop"
