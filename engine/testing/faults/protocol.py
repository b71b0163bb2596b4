"""The OpenAI protocol as the fault model server speaks it."""

import base64
import hashlib
import json
import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.testing.faults.asked import Asked, text_of
from engine.testing.faults.outcomes import Answer

DIMENSIONS = 384


def completion(answer: Answer, asked: Asked, name: str) -> dict[str, Any]:
    """The whole answer in one object."""
    message: dict[str, Any] = {"role": "assistant", "content": _text(answer, asked) or None}
    if calls := _calls(answer, name):
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}
    head = _head("chat.completion", asked, name, [choice])
    return head | _usage(answer, asked)


def events(answer: Answer, asked: Asked, name: str) -> Iterator[dict[str, Any]]:
    """The same answer as the events of a stream, the usage last where it was asked for."""

    def event(delta: Mapping[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _head("chat.completion.chunk", asked, name, [choice])

    yield event({"role": "assistant", "content": ""})
    words = _text(answer, asked).split(" ")
    for at in range(0, len(words), answer.words_per_chunk):
        text = " ".join(words[at : at + answer.words_per_chunk])
        if piece := text if at == 0 else f" {text}":
            yield event({"content": piece})
    for index, call in enumerate(_calls(answer, name)):
        arguments = call["function"]["arguments"]
        opened = {"name": call["function"]["name"], "arguments": ""}
        yield event({"tool_calls": [{**call, "index": index, "function": opened}]})
        half = math.ceil(len(arguments) / 2)
        for part in filter(None, (arguments[:half], arguments[half:])):
            yield event({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    yield event({}, _finish(answer))
    if (asked.body.get("stream_options") or {}).get("include_usage") and answer.usage:
        yield _head("chat.completion.chunk", asked, name, []) | _usage(answer, asked)


def embeddings(asked: Asked) -> dict[str, Any]:
    """A vector of length 1 for each text, made of the text's hash alone."""
    texts: list[str] = asked.body["input"]
    dimensions = int(asked.body.get("dimensions") or DIMENSIONS)
    encoded = asked.body.get("encoding_format") == "base64"
    listed = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _vector(text, dimensions, encoded=encoded),
        }
        for index, text in enumerate(texts)
    ]
    read = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": read, "total_tokens": read}
    return {"object": "list", "data": listed, "model": asked.model, "usage": usage}


def models(names: Sequence[str]) -> dict[str, Any]:
    """The list of models."""
    entries = [
        {"id": name, "object": "model", "created": 0, "owned_by": "trimtab"} for name in names
    ]
    return {"object": "list", "data": entries}


def problem(
    status: int, message: str, *, code: str | None = None, param: str | None = None
) -> dict[str, Any]:
    """An error object."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _head(
    kind: str, asked: Asked, name: str, choices: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{name}",
        "object": kind,
        "created": 0,
        "model": asked.model,
        "choices": list(choices),
    }


def _text(answer: Answer, asked: Asked) -> str:
    return answer.text.replace("{said}", asked.said)


def _calls(answer: Answer, name: str) -> list[dict[str, Any]]:
    return [
        {
            "id": call.id or f"call_{name}_{index}",
            "type": "function",
            "function": {
                "name": call.name,
                "arguments": call.arguments
                if isinstance(call.arguments, str)
                else json.dumps(call.arguments),
            },
        }
        for index, call in enumerate(answer.calls)
    ]


def _finish(answer: Answer) -> str:
    return answer.finish or ("tool_calls" if answer.calls else "stop")


def _usage(answer: Answer, asked: Asked) -> dict[str, Any]:
    if not answer.usage:
        return {}
    read, wrote = answer.input_tokens, answer.output_tokens
    if read is None:
        read = sum(len(text_of(message).split()) for message in asked.messages)
    if wrote is None:
        wrote = len(_text(answer, asked).split()) + sum(
            len(str(call.arguments).split()) + 1 for call in answer.calls
        )
    counted = {"prompt_tokens": read, "completion_tokens": wrote, "total_tokens": read + wrote}
    return {"usage": counted}


def _vector(text: str, dimensions: int, *, encoded: bool) -> list[float] | str:
    drawn = struct.unpack(
        f"<{dimensions}h", hashlib.shake_256(text.encode()).digest(dimensions * 2)
    )
    norm = math.sqrt(sum(value * value for value in drawn)) or 1.0
    vector = [value / norm for value in drawn]
    if not encoded:
        return vector
    return base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()
