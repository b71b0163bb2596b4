"""A Serve application that can seat any variant of any installed workflow."""

import asyncio
import logging
import os
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

from ray import serve

from engine.books.ledger import Ledger
from engine.config.workflow import Workflow
from engine.errors import DeadlineError, NotFoundError, TrimtabError
from engine.experiment.fold import fold
from engine.experiment.variant import configured
from engine.workflow.answer import Asked, Flow
from engine.workflow.building import Shared, flow_of
from engine.workflow.failure import StepError
from engine.workflow.plan.journal import Decided
from engine.workflow.plan.runner import UNDO_S
from serve_apps.names import EMBEDDER
from serve_apps.outcome import unanswered

log = logging.getLogger("ray.serve")

KEPT = 2
ANSWERED = (
    *("text", "output", "model", "input_tokens", "output_tokens", "cost_usd", "cache_hit"),
    "degraded",
)


class Seated(NamedTuple):
    """A variant that is ready to answer."""

    flow: Flow
    timeout_s: float
    """Of its requests, which may still run when it is unseated."""


class Slot:
    """Answers for the variant it is asked for, and builds it from the ledger on first sight.

    A replica that was just started therefore heals itself: nobody has to seat it again.
    """

    def __init__(self, root: str, endpoints: dict[str, str], api_key: str) -> None:
        self._root = Path(root)
        self._shared = Shared(self._root, self._vectors, endpoints, api_key)
        self._flows: OrderedDict[tuple[str, str], Seated] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()
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
        self._resuming = asyncio.get_running_loop().create_task(self._resume())

    async def _resume(self) -> None:
        """Go on with durable requests whose process died."""
        if not self._shared.has_journal:
            return
        for run_id in await asyncio.to_thread(self._shared.journal.abandoned):
            try:
                outcome = await self._gone_on(run_id)
                log.warning("request %s was cut off; it is now: %s", run_id, outcome["status"])
            except TrimtabError as error:
                log.warning("request %s was cut off and can't go on: %s", run_id, error)

    async def warm(self, workflow: str, variant: str) -> int:
        """Build this variant before it gets traffic; answers with the replica's process id."""
        await self._flow(workflow, variant)
        return os.getpid()

    async def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer the last message of a conversation; failures come back as data."""
        asked = Asked(
            id=request["id"],
            messages=request["messages"],
            deadline=time.monotonic() + request["timeout_s"],
            given=request["given"],
            conversation=request["conversation"],
            variant=request["variant"],
        )
        return await self._answered(asked, request["workflow"])

    async def questions(self, workflow: str) -> list[dict[str, Any]]:
        """What people are waited for to say about a workflow's requests, oldest first."""
        found = await asyncio.to_thread(self._shared.journal.questions, workflow)
        return [vars(one) for one in found]

    async def decide(self, workflow: str, question: str, said: dict[str, Any]) -> dict[str, Any]:
        """Record what a person said, and bring the request that waited for it further.

        Raises:
            NotFoundError: Nobody asked that.
            ConfigError: It is no answer to the question.
        """
        decided = Decided(said["decision"], said["reason"], said["answer"], said["by"])
        journal = self._shared.journal
        found = await asyncio.to_thread(journal.decide, question, decided, workflow=workflow)
        return await self._gone_on(found.run_id)

    async def _gone_on(self, run_id: str) -> dict[str, Any]:
        about = await asyncio.to_thread(self._shared.journal.about, run_id)
        settings = await asyncio.to_thread(self._configured, about["workflow"], about["variant"])
        asked = Asked(
            id=run_id,
            messages=about["messages"],
            deadline=time.monotonic() + settings.timeout_s,
            given=about["given"],
            conversation=about["conversation"],
            variant=about["variant"],
        )
        return await self._answered(asked, about["workflow"])

    async def _answered(self, asked: Asked, workflow: str) -> dict[str, Any]:
        started = time.perf_counter()
        outcome = unanswered()
        try:
            flow = await self._flow(workflow, asked.variant)
            answer = await flow.answer(asked)
            outcome |= {name: getattr(answer, name) for name in ANSWERED}
            outcome["questions"] = [vars(one) for one in answer.questions]
        except DeadlineError as error:
            outcome |= {"status": "timeout", "error": "timeout", "message": str(error)}
        except StepError as error:
            outcome |= {"status": "error", "error": error.code, "message": str(error)}
        except TrimtabError as error:
            outcome |= {"status": "error", "error": type(error).__name__, "message": str(error)}
        return outcome | {"spans": asked.spans, "work_s": time.perf_counter() - started}

    async def _flow(self, workflow: str, variant: str) -> Flow:
        key = (workflow, variant)
        if key not in self._flows:
            async with self._building:
                if key not in self._flows:
                    settings = await asyncio.to_thread(self._configured, workflow, variant)
                    flow = await flow_of(settings, self._shared, variant)
                    self._flows[key] = Seated(flow, settings.timeout_s)
                    while len(self._flows) > KEPT:
                        _, old = self._flows.popitem(last=False)
                        later = asyncio.create_task(_closed(old.flow, old.timeout_s + UNDO_S))
                        self._closing.add(later)
                        later.add_done_callback(self._closing.discard)
        self._flows.move_to_end(key)
        return self._flows[key].flow

    def _configured(self, name: str, hash_: str) -> Workflow:
        ledger = Ledger(str(self._root / "ledger.db"))
        try:
            installed = fold(ledger.read()).workflow(name)
        finally:
            ledger.close()
        if hash_ not in installed.variants:
            raise NotFoundError(f"variant {hash_!r} of {name} is not in the ledger")
        config = Workflow.model_validate(installed.config_of(hash_))
        return configured(config, installed.variants[hash_])

    async def _vectors(self, texts: Any) -> Any:
        return await self._embed.remote(list(texts))


async def _closed(flow: Flow, after_s: float) -> None:
    """Close a variant that was unseated, once the requests that it began with are over."""
    await asyncio.sleep(after_s)
    await flow.close()


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
