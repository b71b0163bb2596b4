"""The gateway's Serve application: thin, because every request passes through it."""

import asyncio
import contextlib
import logging
import time
from pathlib import Path

import ray
from ray import serve

from engine.books.secret import workspace_secret
from engine.config.workflow import Workflow
from serve_apps.answering import Answering
from serve_apps.channel.lines import Lines
from serve_apps.embedding import Embedding
from serve_apps.gateway import feedback
from serve_apps.gateway.asgi import Incoming
from serve_apps.gateway.desk import Desk
from serve_apps.gateway.dispatch import Dispatcher
from serve_apps.gateway.door import BackDoor
from serve_apps.gateway.front import Front, Route
from serve_apps.gateway.guard import Guard
from serve_apps.gateway.protocol import (
    Reply,
    decision_of,
    failed,
    json_reply,
    native_body,
    parsed,
    status_of,
)
from serve_apps.gateway.seen import Seen
from serve_apps.gateway.tasking import Tasking
from serve_apps.gateway.traffic import Traffic
from serve_apps.grpc.service import AgentServiceMethods
from serve_apps.models.listing import Listed, model_body, models_body
from serve_apps.models.openai_embeddings import embeddings_body
from serve_apps.names import CONTROL, NAMESPACE
from serve_apps.recorder import Recorder

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
        slots: list[str],
        endpoints: dict[str, str],
        api_key: str,
        settings: Workflow,
    ) -> None:
        self._began_at = time.time()
        self._secret = workspace_secret(Path(root))
        self._seen = Seen(Path(root), settings.observability)
        self._guard = Guard(self._secret)
        self._traffic = Traffic(self._secret, self._guard.out)
        self._recorder = Recorder(Path(root))
        self._lines = Lines(self._secret)
        self._embedding = Embedding()
        self._inline = Answering(Path(root), self._embedding, endpoints, api_key, kept=INLINE_KEPT)
        self._dispatcher = Dispatcher(slots, self._lines, self._inline)
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

        self._tasking = Tasking(Path(root), self._secret, self.desk, self._traffic)
        self._front = Front(
            self.desk, [*self._routes(), *self._tasking.routes], settings.protection.clients
        )
        self.door = BackDoor(self._front, self.desk)

    def __serve_build_asgi_app__(self) -> Front:
        """What Serve calls for every HTTP request and WebSocket."""
        return self._front

    async def warm(self, workflow: str, variant: str) -> str:
        """Build a variant that this gateway answers for by itself."""
        await self._inline.warm(workflow, variant)
        return "ready"

    def _routes(self) -> list[Route]:
        return [
            ("GET", "/healthz", self._health),
            ("POST", "/v1/feedback", self._feedback),
            ("GET", "/v1/models", self._models),
            ("GET", "/v1/models/{}", self._model),
            ("POST", "/v1/embeddings", self._embeddings),
            ("GET", "/v1/workflows/{}/questions", self._questions),
            ("POST", "/v1/workflows/{}/questions/{}", self._decide),
        ]

    async def _health(self, _: Incoming) -> Reply:
        if self._traffic.snapshot is None:
            body = {"status": "starting", "reason": "no snapshot yet"}
            return json_reply(body, 503, {"retry-after": "1"})
        return json_reply({"status": "ok", "revision": self._traffic.revision})

    async def _feedback(self, request: Incoming) -> Reply:
        desk = feedback.FeedbackDesk(self._recorder, self._secret, self._seen.fed_back)
        return await desk.taken(parsed(request.body))

    async def _models(self, _: Incoming) -> Reply:
        return json_reply(models_body(await self._listed()))

    async def _model(self, request: Incoming) -> Reply:
        return json_reply(model_body(request.params[0], await self._listed()))

    async def _embeddings(self, request: Incoming) -> Reply:
        said = parsed(request.body)
        return json_reply(await embeddings_body(said, self._embedding.embed))

    async def _listed(self) -> list[Listed]:
        """Workflows and embedding models: whatever the `model` of a request may name."""
        await self._traffic.has_begun()
        names = [*self._traffic.names, *await self._embedding.names()]
        return [Listed(name, int(self._began_at)) for name in names]

    async def _questions(self, request: Incoming) -> Reply:
        (name,) = request.params
        await self._traffic.has_begun()
        slot = self._traffic.baseline_slot(name)
        return json_reply({"questions": await self._dispatcher.questions(slot, name)})

    async def _decide(self, request: Incoming) -> Reply:
        name, question = request.params
        said = decision_of(parsed(request.body))
        await self._traffic.has_begun()
        slot = self._traffic.baseline_slot(name)
        outcome = await self._dispatcher.decide(slot, name, question, said)
        if outcome["status"] != "ok":
            return failed(outcome)
        return json_reply(native_body(outcome), status_of(outcome))

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
        await self._inline.close()
        self._lines.close()
        self._recorder.close()
        self._seen.close()


def gateway_app(
    root: Path, slots: list[str], endpoints: dict[str, str], api_key: str, settings: Workflow
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
    return deployment(serve.ingress()(Gateway)).bind(str(root), slots, endpoints, api_key, settings)
