"""A Serve application that can seat any variant of any installed workflow."""

import asyncio
import os
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI
from ray import serve

from engine.books.ledger import Ledger
from engine.config.workflow import Workflow
from engine.errors import DeadlineError, NotFoundError, TrimtabError
from engine.experiment.fold import fold
from engine.experiment.variant import configured
from engine.workflow.failure import StepError
from engine.workflow.graph import QaGraph
from engine.workflow.index import load_index
from serve_apps.names import EMBEDDER
from serve_apps.outcome import unanswered

KEPT = 2
ANSWERED = ("text", "model", "input_tokens", "output_tokens", "cost_usd", "cache_hit")


class Slot:
    """Answers for the variant it is asked for, and builds it from the ledger on first sight.

    A replica that was just started therefore heals itself: nobody has to seat it again.
    """

    def __init__(self, root: str, endpoints: dict[str, str], api_key: str) -> None:
        self._root = Path(root)
        self._endpoints = endpoints
        self._api_key = api_key
        self._graphs: OrderedDict[tuple[str, str], QaGraph] = OrderedDict()
        self._building = asyncio.Lock()
        self._embed = (
            serve.get_app_handle(EMBEDDER)
            .options(
                _by_reference=False,
                request_serialization="pickle",
                response_serialization="pickle",
            )
            .encode
        )

    async def warm(self, workflow: str, variant: str) -> int:
        """Build this variant before it gets traffic; answers with the replica's process id."""
        await self._graph(workflow, variant)
        return os.getpid()

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer the last message of a conversation; failures come back as data."""
        started = time.perf_counter()
        deadline = time.monotonic() + request["timeout_s"]
        spans: list[dict[str, Any]] = []
        outcome = unanswered()
        try:
            graph = await self._graph(request["workflow"], request["variant"])
            answer = await graph.answer(request["messages"], deadline=deadline, spans=spans)
            outcome |= {name: getattr(answer, name) for name in ANSWERED}
        except DeadlineError as error:
            outcome |= {"status": "timeout", "error": "timeout", "message": str(error)}
        except StepError as error:
            outcome |= {"status": "error", "error": error.code, "message": str(error)}
        except TrimtabError as error:
            outcome |= {"status": "error", "error": type(error).__name__, "message": str(error)}
        return outcome | {"spans": spans, "work_s": time.perf_counter() - started}

    async def _graph(self, workflow: str, variant: str) -> QaGraph:
        key = (workflow, variant)
        if key not in self._graphs:
            async with self._building:
                if key not in self._graphs:
                    self._graphs[key] = await self._built(workflow, variant)
                    while len(self._graphs) > KEPT:
                        self._graphs.popitem(last=False)
        self._graphs.move_to_end(key)
        return self._graphs[key]

    async def _built(self, name: str, hash_: str) -> QaGraph:
        workflow = await asyncio.to_thread(self._configured, name, hash_)
        index = await load_index(self._root / "cache", workflow.rag.chunk_chars, self._vectors)
        client = AsyncOpenAI(
            base_url=self._endpoints.get(workflow.llm.base_url, workflow.llm.base_url),
            api_key=self._api_key,
            max_retries=0,
            timeout=workflow.llm.timeout_s,
        )
        return QaGraph(workflow, index, self._vectors, client)

    def _configured(self, name: str, hash_: str) -> Workflow:
        ledger = Ledger(str(self._root / "ledger.db"))
        try:
            installed = fold(ledger.read()).workflow(name)
        finally:
            ledger.close()
        if hash_ not in installed.variants:
            raise NotFoundError(f"variant {hash_!r} of {name} is not in the ledger")
        return configured(Workflow.model_validate(installed.config), installed.variants[hash_])

    async def _vectors(self, texts: Any) -> Any:
        return await self._embed.remote(list(texts))


def slot_app(root: Path, endpoints: dict[str, str], api_key: str, cpus: float) -> serve.Application:
    """A slot as a Serve application without a route; its replicas are scaled from outside.

    `endpoints` says where the names that a workflow may give instead of a URL lead to.
    """
    deployment = serve.deployment(
        name="Slot",
        num_replicas=1,
        max_ongoing_requests=1_000,
        ray_actor_options={"num_cpus": cpus},
        health_check_period_s=2.0,
        graceful_shutdown_timeout_s=10.0,
    )
    return deployment(Slot).bind(str(root), endpoints, api_key)
