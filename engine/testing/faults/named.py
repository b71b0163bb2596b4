"""Every fault by its name, so that a script may mix them and a test may go through them all."""

import json
from collections.abc import Mapping

from engine.testing.faults.outcomes import (
    Answer,
    Body,
    Broken,
    Call,
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

_MESSAGE: dict[str, object] = {"role": "assistant", "content": "fine"}
_USAGE = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}


def _completion(**changes: object) -> Body:
    """A completion with some of its fields replaced; None leaves a field out."""
    usual: dict[str, object] = {
        "id": "chatcmpl-wrong",
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
    kept = {name: value for name, value in (usual | changes).items() if value is not None}
    return Body(text=json.dumps(kept))


def _said(message: dict[str, object] | None) -> Body:
    return _completion(choices=[{"index": 0, "message": message, "finish_reason": "stop"}])


def _called(*calls: Call) -> Answer:
    return Answer(text="", calls=calls)


FAULTS: Mapping[str, Outcome] = {
    "throttled": Status(status=429, code="rate_limit_exceeded", retry_after_s=1.0),
    "throttled_until_date": Status(status=429, retry_after_s=2.0, retry_after_as="date"),
    "throttled_for_ms": Status(status=429, retry_after_s=0.25, retry_after_as="milliseconds"),
    "throttled_for_nonsense": Status(status=429, retry_after_s=1.0, retry_after_as="nonsense"),
    "internal_error": Status(status=500),
    "bad_gateway": Status(status=502),
    "unavailable": Status(status=503),
    "overloaded": Status(status=529),
    "denied": Status(status=401, code="invalid_api_key"),
    "context_too_long": Status(status=400, code="context_length_exceeded"),
    "reset_before_headers": Cut(place="before_headers"),
    "reset_after_headers": Cut(place="after_headers"),
    "reset_mid_body": Cut(place="mid_body"),
    "closed_mid_body": Cut(place="mid_body", how="close"),
    "half_a_chunk": Cut(place="mid_chunk", how="close"),
    "stalled": Stall(place="before_headers"),
    "stalled_mid_body": Stall(place="mid_body"),
    "drip": Drip(),
    "no_http": Raw(),
    "bad_json": Body(text='{"choices": [{"message": {"role": "assis'),
    "choices_an_object": _completion(choices={"message": _MESSAGE}),
    "choices_missing": _completion(choices=None),
    "choices_empty": _completion(choices=[]),
    "message_null": _said(None),
    "content_a_number": _said({"role": "assistant", "content": 42}),
    "usage_texts": _completion(usage={"prompt_tokens": "many", "completion_tokens": "few"}),
    "error_with_200": Body(text='{"error": {"message": "out of order", "code": "internal"}}'),
    "huge_body": Huge(body_mib=16),
    "huge_header": Huge(header_kib=256),
    "short_body": Length(off_by=10),
    "long_body": Length(off_by=-10),
    "unknown_tool": _called(Call(name="no_such_tool")),
    "arguments_not_json": _called(Call(name="calculator", arguments="{'expression': 2 +")),
    "arguments_wrong_types": _called(Call(name="calculator", arguments={"expression": [1, None]})),
    "duplicate_ids": _called(
        Call(name="calculator", arguments={"expression": "1"}, id="call_same"),
        Call(name="calculator", arguments={"expression": "2"}, id="call_same"),
    ),
    "tool_without_name": _called(Call(name="")),
    "empty_answer": Answer(text=""),
    "cut_by_length": Answer(text="You said", finish="length"),
    "filtered": Answer(text="", finish="content_filter"),
    "no_usage": Answer(usage=False),
    "no_done": Unfinished(),
    "error_in_stream": Broken(),
}
"""Each with the defaults of a bad day; a rule may say the same with other figures."""
