"""The call to a slot: one deadline, and one more try when a replica died under it."""

import asyncio
import time
from collections.abc import Awaitable, Mapping
from typing import Any

from ray import serve
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException

from engine.errors import DeadlineError, TrimtabError, UpstreamError
from serve_apps.gateway.protocol import Json
from serve_apps.gateway.traffic import Route

TRIES = 3


class Dispatcher:
    """Holds one handle per slot for its life: a handle made anew starts a new router."""

    def __init__(self, slots: list[str]) -> None:
        self._slots: Mapping[str, Any] = {
            name: serve.get_app_handle(name).options(
                _by_reference=False,
                request_serialization="pickle",
                response_serialization="pickle",
            )
            for name in slots
        }

    async def answer(
        self, route: Route, asked: Json, timeout_s: float, *, idempotent: bool
    ) -> Json:
        """The slot's answer to what was asked: its `id`, `messages` and `given` inputs.

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
                "conversation": route.conversation.unit_id,
                "timeout_s": remaining_s,
                **asked,
            }
            try:
                async with asyncio.timeout(remaining_s):
                    answer: Json = await self._slots[route.slot].answer.remote(request)
                    return answer
            except TimeoutError as error:
                raise DeadlineError(f"no answer within {timeout_s:g} s") from error
            except (RayError, RayServeException) as error:
                if not left:
                    raise UpstreamError(f"replica_died: {type(error).__name__}") from error
                await asyncio.sleep(0.05)
        raise AssertionError("unreachable")

    async def questions(self, slot: str, workflow: str) -> list[Json]:
        """What people are waited for to say about a workflow's requests.

        Raises:
            UpstreamError: The slot does not answer.
        """
        found: list[Json] = await self._called(self._slots[slot].questions.remote(workflow))
        return found

    async def decide(self, slot: str, workflow: str, question: str, said: Json) -> Json:
        """Hand a person's decision on; the answer of the request that waited for it.

        Raises:
            NotFoundError, ConfigError: Nobody asked that, or it is no answer to it.
            UpstreamError: The slot does not answer.
        """
        found: Json = await self._called(self._slots[slot].decide.remote(workflow, question, said))
        return found

    async def _called(self, call: Awaitable[Any]) -> Any:
        try:
            return await call
        except RayTaskError as error:
            if isinstance(error.cause, TrimtabError):
                raise error.cause from None
            raise UpstreamError(f"the slot failed: {error}") from error
        except (RayError, RayServeException) as error:
            raise UpstreamError(f"replica_died: {type(error).__name__}") from error
