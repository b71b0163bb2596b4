"""The embedded reader behind the HTTP paths of the OpenAI protocol."""

import json
import random
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from serve_apps.embedded.protocol import ChatRequest, body, chunks
from serve_apps.embedded.reader import read

NAME = "embedded-reader"


def reader_app(seed: int | None = None) -> Starlette:
    """A bare ASGI application; with a seed it says the same in every process."""
    # A replica is a pickled copy: without a seed each one asks its own machine for chance.
    bits = secrets.randbits if seed is None else random.Random(seed).getrandbits

    async def complete(request: Request) -> Response:
        try:
            wanted = ChatRequest.model_validate_json(await request.body())
        except ValidationError as error:
            return _refused(error)
        completion = read(wanted, bits(32))
        whole = body(completion, wanted, f"{bits(64):016x}", int(time.time()))
        if not wanted.stream:
            return JSONResponse(whole)
        pieces = chunks(whole, usage=wanted.stream_options.include_usage)
        return StreamingResponse(_events(pieces), media_type="text/event-stream")

    async def models(_: Request) -> Response:
        entry = {"id": NAME, "object": "model", "created": 0, "owned_by": "trimtab"}
        return JSONResponse({"object": "list", "data": [entry]})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/models", models, methods=["GET"]),
        ]
    )


async def _events(pieces: Iterator[dict[str, Any]]) -> AsyncIterator[str]:
    for piece in pieces:
        yield f"data: {json.dumps(piece)}\n\n"
    yield "data: [DONE]\n\n"


def _refused(error: ValidationError) -> Response:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    problem = {
        "message": f"{place}: {first['msg']}",
        "type": "invalid_request_error",
        "param": place,
        "code": None,
    }
    return JSONResponse({"error": problem}, status_code=400)
