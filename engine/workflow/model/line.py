"""What carries a question to an endpoint, and what of its answer is read at all."""

import json
from collections.abc import AsyncGenerator
from typing import Any, Protocol

import orjson

from engine.workflow.model.codes import failed

MOST_BYTES = 32 << 20
"""Of one answer, unpacked; the longest that a model may write is a quarter of it as a stream."""

Request = dict[str, Any]
"""The body of a chat completion; its `model` names the endpoint in what goes wrong.

Its `extra_headers`, which the openai client knows by this name, go along and are no part of it.
"""

STREAMED: Request = {"stream": True, "stream_options": {"include_usage": True}}
"""What is added to it for an answer in pieces, the last of which says what it took."""


class Line(Protocol):
    """A way to one endpoint's chat completions, shared by all calls; it never tries again."""

    async def whole(self, request: Request) -> object:
        """The JSON of an answer that comes as one body.

        Raises:
            LlmError: The endpoint could not be reached, refused, or answered no JSON.
        """
        ...

    def pieces(self, request: Request) -> AsyncGenerator[object, None]:
        """The JSON of each piece of a streamed answer; closing it early ends the call.

        Raises:
            LlmError: As `whole`; or the stream told of a failure, or broke off.
        """
        ...


def written(request: Request) -> bytes:
    """The request as JSON."""
    request = {name: value for name, value in request.items() if name != "extra_headers"}
    try:
        return orjson.dumps(request)
    except orjson.JSONEncodeError:
        # Half a surrogate pair from somebody's cut text, or a figure above 64 bits in a schema.
        return json.dumps(request).encode()


def read(content: bytes, model: str) -> object:
    """What an endpoint wrote.

    Raises:
        LlmError: It is no JSON.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        begins = content[:80].decode(errors="replace")
        why = f"{model}: the answer is no JSON ({error}): it begins with {begins!r}"
        raise failed("upstream_malformed", why) from error
