"""The gateway's Serve application: thin, because every request passes through it."""

import asyncio
import contextlib
import importlib
import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import ray
from ray import serve

from engine.books.secret import workspace_secret
from engine.config.workflow import Workflow
from serve_apps.channel.lines import Lines
from serve_apps.embedding import Embedding
from serve_apps.gateway.desk import Desk
from serve_apps.gateway.dispatch import Dispatcher
from serve_apps.gateway.door import BackDoor
from serve_apps.gateway.feedback import FeedbackDesk
from serve_apps.gateway.front import Front
from serve_apps.gateway.guard import Guard
from serve_apps.gateway.seen import Seen
from serve_apps.gateway.services import Services
from serve_apps.gateway.tasking import Tasking
from serve_apps.gateway.traffic import Traffic
from serve_apps.grpc.service import AgentServiceMethods
from serve_apps.names import CONTROL, NAMESPACE
from serve_apps.recorder import Recorder

if TYPE_CHECKING:
    from serve_apps.answering import Answering

WATCH_S = 10.0
RETRY_S = 0.2
DRAIN_S = 120.0
INLINE_KEPT = 16
"""Variants of inline workflows that a gateway holds ready."""

log = logging.getLogger("ray.serve")


class Gateway(AgentServiceMethods):
    """Assigns, records, dispatches, records, answers; it knows no ledger and takes no lock."""

    def __init__(
        self,
        root: str,
        endpoints: dict[str, str],
        api_key: str,
        settings: Workflow,
    ) -> None:
        self._secret = workspace_secret(Path(root))
        self._seen = Seen(Path(root), settings.observability)
        self._guard = Guard(self._secret)
        self._traffic = Traffic(self._secret, self._guard.out)
        self._recorder = Recorder(Path(root))
        self._lines = Lines(self._secret, settings.deploy.choice)
        self._embedding = Embedding()
        self._answers_by = Path(root), endpoints, api_key
        self._dispatcher = Dispatcher(self._lines, lambda: self._inline)
        self.desk = Desk(
            self._secret,
            self._traffic,
            self._guard,
            self._recorder,
            self._dispatcher,
            self._seen,
        )
        telling = self._seen.keep_telling(self._guard, self._recorder, lambda: self.desk.ongoing)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._watch()), loop.create_task(telling)]
        self._tasking = Tasking(
            Path(root),
            self._secret,
            self.desk,
            self._traffic,
            self._seen,
            settings.deploy.tasks,
        )
        services = Services(
            self._traffic,
            self._dispatcher,
            FeedbackDesk(self._recorder, self._secret, self._seen.fed_back),
            self._embedding,
        )
        self._front = Front(
            self.desk, [*services.routes, *self._tasking.routes], settings.protection.clients
        )
        self.door = BackDoor(self._front, self.desk)

    def __serve_build_asgi_app__(self) -> Front:
        """What Serve calls for every HTTP request and WebSocket."""
        return self._front

    @cached_property
    def _inline(self) -> "Answering":
        from serve_apps.answering import Answering

        root, endpoints, api_key = self._answers_by
        return Answering(
            root,
            self._embedding,
            endpoints,
            api_key,
            kept=INLINE_KEPT,
            recent=self._embedding.recent,
        )

    async def warm(self, workflow: str, variant: str) -> str:
        """Build a variant that this gateway answers for by itself."""
        # Not before it is needed: it is a third of what a gateway takes, and most need none of it.
        await asyncio.to_thread(importlib.import_module, "serve_apps.answering")
        await self._inline.warm(workflow, variant)
        return "ready"

    async def _watch(self) -> None:
        """Follow the control actor; while it is away the last snapshot stays in force."""
        while True:
            try:
                control = await asyncio.to_thread(ray.get_actor, CONTROL, NAMESPACE)
                while True:
                    snapshot = await control.watch.remote(self._traffic.revision, WATCH_S)
                    self._seen.heard()
                    if snapshot is not None:
                        self._lines.follow(snapshot.addresses)
                        self._guard.follow(snapshot)
                        self._traffic.begin(snapshot)
            except Exception as error:  # noqa: BLE001 - logged, and tried again
                # Whatever it was, a gateway that stopped watching would serve the past for ever.
                log.warning("the control actor can't be watched: %r; trying again", error)
                await asyncio.sleep(RETRY_S)

    async def __del__(self) -> None:
        for task in self._tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._tasking.close()
        await self.desk.close()
        if "_inline" in vars(self):
            await self._inline.close()
        self._lines.close()
        self._recorder.close()
        self._seen.close()


def gateway_app(
    root: Path, endpoints: dict[str, str], api_key: str, settings: Workflow
) -> serve.Application:
    """The gateway as a Serve application with a fixed number of replicas.

    Of the settings it takes those that are the deployment's: what clients may do, what is seen.
    """
    deployment = serve.deployment(
        name="Gateway",
        num_replicas=settings.deploy.gateways,
        max_ongoing_requests=1_000,
        max_queued_requests=2_000,
        ray_actor_options={"num_cpus": 0.1},
        health_check_period_s=2.0,
        graceful_shutdown_timeout_s=DRAIN_S,
    )
    return deployment(serve.ingress()(Gateway)).bind(str(root), endpoints, api_key, settings)
