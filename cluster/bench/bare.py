"""The peer: a gateway that calls a second deployment and answers, with nothing in between."""

from collections.abc import Callable
from typing import Any

from ray import serve
from starlette.requests import Request
from starlette.responses import Response

NAME = "bare"
PREFIX = "/bare"
ONE = "/one"
"""Under the prefix: answered by the first hop alone."""


class Second:
    """The second hop: answers what it got."""

    async def answer(self, body: bytes) -> bytes:
        """Echo."""
        return body


class First:
    """The first hop: hands the body on."""

    def __init__(self, second: "serve.handle.DeploymentHandle[Any]") -> None:
        self._answer = second.options(
            _by_reference=False, request_serialization="pickle", response_serialization="pickle"
        ).answer

    async def __call__(self, request: Request) -> Response:
        """One request through both hops, or through this one."""
        body = await request.body()
        if request.url.path.endswith(ONE):
            return Response(body)
        return Response(await self._answer.remote(body))


def bare_app(replicas: int) -> serve.Application:
    """Two hops with as many replicas as the gateway and the baseline's slot have."""
    second = _deployment("Second", replicas)(Second).bind()
    return _deployment("First", replicas)(First).bind(second)


def _deployment(name: str, replicas: int) -> Callable[[type], serve.Deployment]:
    return serve.deployment(
        name=name,
        num_replicas=replicas,
        max_ongoing_requests=1_000,
        ray_actor_options={"num_cpus": 0.1},
    )
