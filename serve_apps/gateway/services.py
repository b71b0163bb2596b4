"""What the gateway offers besides runs and tasks."""

import time
from collections.abc import Sequence
from typing import Protocol

from engine.workflow.embedding import FloatArray
from serve_apps.gateway.asgi import Incoming
from serve_apps.gateway.dispatch import Dispatcher
from serve_apps.gateway.feedback import FeedbackDesk
from serve_apps.gateway.front import Route
from serve_apps.gateway.openapi.document import document
from serve_apps.gateway.protocol import (
    Reply,
    decision_of,
    failed,
    json_bytes,
    json_reply,
    native_body,
    parsed,
    status_of,
)
from serve_apps.gateway.traffic import Traffic
from serve_apps.models.listing import Listed, model_body, models_body
from serve_apps.models.openai_embeddings import embeddings_body


class Encoders(Protocol):
    """The models that turn texts into vectors."""

    async def embed(self, model: str, texts: Sequence[str]) -> tuple[FloatArray, int]:
        """Vectors of a named model, and the tokens that were read for them."""

    async def names(self) -> list[str]:
        """The models that may be asked for."""


class Services:
    """Feedback, models, embeddings, people's questions, and what there is to know of the API."""

    def __init__(
        self, traffic: Traffic, dispatcher: Dispatcher, feedback: FeedbackDesk, encoders: Encoders
    ) -> None:
        self._began_at = time.time()
        self._traffic = traffic
        self._dispatcher = dispatcher
        self._feedback = feedback
        self._encoders = encoders
        self._document = Reply(200, json_bytes(document()))

    @property
    def routes(self) -> list[Route]:
        """What is offered over HTTP."""
        return [
            ("GET", "/healthz", self._health),
            ("GET", "/openapi.json", self._openapi),
            ("POST", "/v1/feedback", self._fed_back),
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

    async def _openapi(self, _: Incoming) -> Reply:
        return self._document

    async def _fed_back(self, request: Incoming) -> Reply:
        return await self._feedback.taken(parsed(request.body))

    async def _models(self, _: Incoming) -> Reply:
        return json_reply(models_body(await self._listed()))

    async def _model(self, request: Incoming) -> Reply:
        return json_reply(model_body(request.params[0], await self._listed()))

    async def _embeddings(self, request: Incoming) -> Reply:
        said = parsed(request.body)
        return json_reply(await embeddings_body(said, self._encoders.embed))

    async def _listed(self) -> list[Listed]:
        """Workflows and embedding models: whatever the `model` of a request may name."""
        await self._traffic.has_begun()
        names = [*self._traffic.names, *await self._encoders.names()]
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
