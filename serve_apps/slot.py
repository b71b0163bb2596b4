"""A Serve application that can seat any variant of any installed workflow."""

import asyncio
import contextlib
import importlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray import serve

from engine.books.secret import workspace_secret
from engine.config.observability import Observability
from engine.config.workflow import Workflow
from engine.errors import TrimtabError
from engine.workflow.run import Emit
from serve_apps.channel.listener import Listener
from serve_apps.embedding import Embedding
from serve_apps.telemetry import table
from serve_apps.telemetry.outside import Outside

if TYPE_CHECKING:
    from serve_apps.answering import Answering

log = logging.getLogger("ray.serve")

KEPT = 2
UNWANTED_S = 60.0
"""Who has no variant to seat makes ready for one after this time, not before: when a deployment
starts, the processors belong to those that will serve."""
DRAIN_S = 120.0
"""A replica that is taken away brings what it began to its end within this time."""


class Slot:
    """Answers for the variant it is asked for.

    Gateways ask over the channel; Serve's own handle is for seating, and for the moments in which
    no line is open.
    """

    async def __init__(  # type: ignore[misc]
        self,
        root: str,
        endpoints: dict[str, str],
        api_key: str,
        observability: Observability,
    ) -> None:
        # Serve awaits a constructor, whatever the type checker says.
        self._outside = Outside(Path(root), "slot", observability)
        self._answers_by = Path(root), endpoints, api_key
        self._listener = Listener(workspace_secret(Path(root)), self.answer)
        host: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        self._address = await self._listener.open(host)
        loop = asyncio.get_running_loop()
        self._warming: asyncio.Future[None] = loop.create_future()
        self._warming.set_result(None)
        self._wanted = asyncio.Event()
        self._made = loop.create_task(self._make())
        self._tasks = [loop.create_task(self._outside.keep_telling(self._tell))]

    async def warm(self, workflow: str, variant: str) -> str:
        """Build this variant before it gets traffic; answers with the replica's address."""
        answering = await self._answering()
        await answering.warm(workflow, variant)
        return self._address

    async def report(self, workflow: str, variant: str) -> tuple[str, float, bool]:
        """Where this replica takes requests, how many it had at once since this was asked last.

        At last, whether it has built this variant; one that has not begins to.
        """
        ready = self._ready()
        is_warm = ready is not None and ready.is_warm(workflow, variant)
        if not is_warm and self._warming.done():
            self._warming = asyncio.ensure_future(self._warmed(workflow, variant))
        return self._address, self._listener.load.since(), is_warm

    async def answer(self, request: dict[str, Any], emit: Emit | None = None) -> dict[str, Any]:
        """Answer the last message of a conversation; failures come back as data."""
        answering = await self._answering()
        return await answering.answer(request, emit)

    async def questions(self, workflow: str) -> list[dict[str, Any]]:
        """What people are waited for to say about a workflow's requests, oldest first."""
        answering = await self._answering()
        return await answering.questions(workflow)

    async def decide(self, workflow: str, question: str, said: dict[str, Any]) -> dict[str, Any]:
        """Record what a person said, and bring the request that waited for it further.

        Raises:
            NotFoundError: Nobody asked that.
            ConfigError: It is no answer to the question.
        """
        answering = await self._answering()
        return await answering.decide(workflow, question, said)

    def check_health(self) -> None:
        """Raise what kept it from making ready: Serve puts another replica in its place."""
        if self._made.done():
            self._made.result()

    async def _answering(self) -> "Answering":
        self._wanted.set()
        # Who asks may go away; what is being made is for all.
        ready = self._ready()
        return ready if ready is not None else await asyncio.shield(self._made)

    def _ready(self) -> "Answering | None":
        made = self._made
        if not made.done() or made.cancelled() or made.exception() is not None:
            return None
        return made.result()

    async def _make(self) -> "Answering":
        """Import what answers, which takes longer than all else here, and have it ready."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(UNWANTED_S):
                await self._wanted.wait()
        await asyncio.to_thread(importlib.import_module, "serve_apps.answering")
        from serve_apps.answering import Answering

        root, endpoints, api_key = self._answers_by
        embedding = Embedding()
        answering = Answering(
            root, embedding, endpoints, api_key, kept=KEPT, recent=embedding.recent
        )
        loop = asyncio.get_running_loop()
        self._tasks += [
            loop.create_task(answering.prime()),
            loop.create_task(answering.resume()),
        ]
        return answering

    async def _warmed(self, workflow: str, variant: str) -> None:
        try:
            await self.warm(workflow, variant)
        except TrimtabError as error:
            log.warning("%s of %s can't be built yet: %s", variant, workflow, error)

    def _tell(self) -> None:
        if ready := self._ready():
            self._outside.meters.gauges(table.BREAKERS, ready.open_breakers)

    async def __del__(self) -> None:
        # Serve waits for the requests that it knows of, which these are not.
        await self._listener.close(DRAIN_S)
        if ready := self._ready():
            await ready.close()
        self._made.cancel()
        self._outside.close()


def slot_app(
    root: Path, endpoints: dict[str, str], api_key: str, settings: Workflow
) -> serve.Application:
    """A slot as a Serve application without a route; its replicas are scaled from outside.

    `endpoints` says where the names that a workflow may give instead of a URL lead to.
    """
    deployment = serve.deployment(
        name="Slot",
        num_replicas=1,
        max_ongoing_requests=1_000,
        ray_actor_options={"num_cpus": settings.deploy.slot_cpus},
        health_check_period_s=2.0,
        graceful_shutdown_timeout_s=DRAIN_S,
    )
    return deployment(Slot).bind(str(root), endpoints, api_key, settings.observability)
