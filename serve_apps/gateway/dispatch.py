"""The call to a slot: one deadline, and one more try when a replica died under it."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from ray import serve
from ray.exceptions import RayError
from ray.serve.exceptions import RayServeException

from engine.errors import DeadlineError, UpstreamError
from serve_apps.gateway.protocol import Json
from serve_apps.gateway.traffic import Route

TRIES = 3


class Dispatcher:
    """Holds one handle per slot for its life: a handle made anew starts a new router."""

    def __init__(self, slots: list[str]) -> None:
        self._answer: Mapping[str, Any] = {
            name: serve.get_app_handle(name)
            .options(
                _by_reference=False,
                request_serialization="pickle",
                response_serialization="pickle",
            )
            .answer
            for name in slots
        }

    async def answer(
        self, route: Route, messages: list[Json], timeout_s: float, *, idempotent: bool
    ) -> Json:
        """The slot's answer.

        Raises:
            DeadlineError: It did not come in time.
            UpstreamError: The replica died and the request could not be tried again.
        """
        deadline = time.monotonic() + timeout_s
        tries = TRIES if idempotent else 1
        for left in reversed(range(tries)):
            remaining_s = deadline - time.monotonic()
            request = {
                "workflow": route.workflow,
                "variant": route.served,
                "messages": messages,
                "timeout_s": remaining_s,
            }
            try:
                async with asyncio.timeout(remaining_s):
                    answer: Json = await self._answer[route.slot].remote(request)
                    return answer
            except TimeoutError as error:
                raise DeadlineError(f"no answer within {timeout_s:g} s") from error
            except (RayError, RayServeException) as error:
                if not left:
                    raise UpstreamError(f"replica_died: {type(error).__name__}") from error
                await asyncio.sleep(0.05)
        raise AssertionError("unreachable")
