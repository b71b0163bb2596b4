"""A Serve application that can seat any variant of any installed workflow."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import ray
from ray import serve

from engine.books.secret import workspace_secret
from engine.config.observability import Observability
from engine.config.workflow import Workflow
from engine.errors import TrimtabError
from serve_apps.answering import Answering
from serve_apps.channel.listener import Listener
from serve_apps.embedding import Embedding
from serve_apps.telemetry import table
from serve_apps.telemetry.outside import Outside

log = logging.getLogger("ray.serve")

KEPT = 2
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
        embedding = Embedding()
        self._answering = Answering(
            Path(root), embedding, endpoints, api_key, kept=KEPT, recent=embedding.recent
        )
        self._listener = Listener(workspace_secret(Path(root)), self._answering.answer)
        host: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
        self._address = await self._listener.open(host)
        loop = asyncio.get_running_loop()
        self._warming: asyncio.Future[None] = loop.create_future()
        self._warming.set_result(None)
        self._tasks = [
            loop.create_task(self._answering.prime()),
            loop.create_task(self._answering.resume()),
            loop.create_task(self._outside.keep_telling(self._tell)),
        ]

    async def warm(self, workflow: str, variant: str) -> str:
        """Build this variant before it gets traffic; answers with the replica's address."""
        await self._answering.warm(workflow, variant)
        return self._address

    async def report(self, workflow: str, variant: str) -> tuple[str, float, bool]:
        """Where this replica takes requests, how many it had at once since this was asked last.

        At last, whether it has built this variant; one that has not begins to.
        """
        is_warm = self._answering.is_warm(workflow, variant)
        if not is_warm and self._warming.done():
            self._warming = asyncio.ensure_future(self._warmed(workflow, variant))
        return self._address, self._listener.load.since(), is_warm

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer the last message of a conversation; failures come back as data."""
        return await self._answering.answer(request)

    async def questions(self, workflow: str) -> list[dict[str, Any]]:
        """What people are waited for to say about a workflow's requests, oldest first."""
        return await self._answering.questions(workflow)

    async def decide(self, workflow: str, question: str, said: dict[str, Any]) -> dict[str, Any]:
        """Record what a person said, and bring the request that waited for it further.

        Raises:
            NotFoundError: Nobody asked that.
            ConfigError: It is no answer to the question.
        """
        return await self._answering.decide(workflow, question, said)

    async def _warmed(self, workflow: str, variant: str) -> None:
        try:
            await self._answering.warm(workflow, variant)
        except TrimtabError as error:
            log.warning("%s of %s can't be built yet: %s", variant, workflow, error)

    def _tell(self) -> None:
        self._outside.meters.gauges(table.BREAKERS, self._answering.open_breakers)

    async def __del__(self) -> None:
        # Serve waits for the requests that it knows of, which these are not.
        await self._listener.close(DRAIN_S)
        await self._answering.close()
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
