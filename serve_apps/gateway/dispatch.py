"""The call to whoever answers: one deadline, and one more try when a replica died under it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ray import serve
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException

from engine.errors import DeadlineError, TrimtabError, UpstreamError
from serve_apps.channel.lines import LineLostError, Lines
from serve_apps.gateway.call import Json
from serve_apps.gateway.traffic import Route
from serve_apps.names import INLINE

if TYPE_CHECKING:
    from serve_apps.answering import Answering

TRIES = 3
GRACE_S = 0.5
"""Whoever answers keeps the deadline by itself, and says more of it than a gateway could."""

Hear = Callable[[str, Json], None]


class Dispatcher:
    """Asks a slot's replica over its line, or this process itself.

    Serve's handles stand in while no line is open: one per slot for life, because a handle made
    anew starts a new router.
    """

    def __init__(self, lines: Lines, inline: Callable[[], "Answering"]) -> None:
        """`inline` is asked for who answers here once a workflow is placed so."""
        self._lines = lines
        self._inline = inline
        self._slots: dict[str, Any] = {}

    async def answer(
        self,
        route: Route,
        asked: Json,
        timeout_s: float,
        *,
        idempotent: bool,
        hear: Hear | None = None,
    ) -> Json:
        """The answer to what was asked: its `id`, `messages` and `given` inputs.

        Raises:
            ConfigError: It can't be sent on.
            DeadlineError: No answer came in time.
            UpstreamError: The replica died and the request could not be tried again.
        """
        deadline = time.monotonic() + timeout_s
        ear = None if hear is None else Ear(hear)
        request = {
            "workflow": route.workflow,
            "variant": route.served,
            "conversation": route.conversation.unit_id,
            "heard": ear is not None,
            **asked,
        }
        for left in reversed(range(TRIES if idempotent else 1)):
            remaining_s = request["timeout_s"] = deadline - time.monotonic()
            try:
                async with asyncio.timeout(remaining_s + GRACE_S):
                    return await self._asked(route.slot, request, ear)
            except TimeoutError as error:
                raise DeadlineError(f"no answer within {timeout_s:g} s") from error
            except (LineLostError, RayError, RayServeException) as error:
                # What a client was told can't be taken back, and would be told again.
                if not left or (ear is not None and ear.told):
                    raise UpstreamError(f"replica_died: {type(error).__name__}") from error
                await asyncio.sleep(0.05)
        raise AssertionError("unreachable")

    async def _asked(self, slot: str, request: Json, ear: "Ear | None") -> Json:
        if slot == INLINE:
            return await self._inline().answer(request, ear)
        if line := self._lines.choose(slot):
            return await line.ask(request, ear)
        answer: Json = await self._handle(slot).answer.remote(request)
        return answer

    def _handle(self, slot: str) -> Any:
        # Not before it is needed: a gateway may be there before its slots are.
        if slot not in self._slots:
            self._slots[slot] = serve.get_app_handle(slot).options(
                _by_reference=False,
                request_serialization="pickle",
                response_serialization="pickle",
            )
        return self._slots[slot]

    async def questions(self, slot: str, workflow: str) -> list[Json]:
        """What people are waited for to say about a workflow's requests.

        Raises:
            UpstreamError: The slot does not answer.
        """
        if slot == INLINE:
            return await self._inline().questions(workflow)
        found: list[Json] = await _called(self._handle(slot).questions.remote(workflow))
        return found

    async def decide(self, slot: str, workflow: str, question: str, said: Json) -> Json:
        """Hand a person's decision on; the answer of the request that waited for it.

        Raises:
            NotFoundError, ConfigError: Nobody asked that, or it is no answer to it.
            UpstreamError: The slot does not answer.
        """
        if slot == INLINE:
            return await self._inline().decide(workflow, question, said)
        found: Json = await _called(self._handle(slot).decide.remote(workflow, question, said))
        return found


class Ear:
    """Hands events on, and knows whether anything of the answer was among them."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self.told = False

    def __call__(self, kind: str, content: Json) -> None:
        """Hand one event on."""
        self.told = self.told or kind == "chunk"
        self._hear(kind, content)


async def _called(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except RayTaskError as error:
        if isinstance(error.cause, TrimtabError):
            raise error.cause from None
        raise UpstreamError(f"the slot failed: {error}") from error
    except (RayError, RayServeException) as error:
        raise UpstreamError(f"replica_died: {type(error).__name__}") from error
