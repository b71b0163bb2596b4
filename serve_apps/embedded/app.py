"""The embedded reader behind the HTTP paths of the OpenAI protocol."""

import random
import secrets
import time

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serve_apps.embedded.protocol import ChatRequest, body
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
        return JSONResponse(body(completion, wanted, f"{bits(64):016x}", int(time.time())))

    async def models(_: Request) -> Response:
        entry = {"id": NAME, "object": "model", "created": 0, "owned_by": "trimtab"}
        return JSONResponse({"object": "list", "data": [entry]})

    return Starlette(
        routes=[
            Route("/v1/chat/completions", complete, methods=["POST"]),
            Route("/v1/models", models, methods=["GET"]),
        ]
    )


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
