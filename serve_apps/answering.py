"""Answers requests in one process for any variant of any installed workflow."""

import asyncio
import logging
import time
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.books.ledger import Ledger
from engine.config.workflow import Workflow
from engine.errors import DeadlineError, NotFoundError, TrimtabError
from engine.experiment.fold import fold
from engine.experiment.variant import configured
from engine.workflow.answer import Asked, Flow
from engine.workflow.building import Shared, flow_of
from engine.workflow.embedding import Embed
from engine.workflow.failure import StepError
from engine.workflow.memo import Recent
from engine.workflow.parts import NOTHING, Offer
from engine.workflow.plan.journal import Decided
from engine.workflow.plan.runner import UNDO_S
from engine.workflow.run import Emit, unheard
from engine.workflow.warming import primed, warmed
from serve_apps.outcome import unanswered

log = logging.getLogger("ray.serve")

Json = dict[str, Any]
ANSWERED = (
    *("text", "output", "model", "input_tokens", "output_tokens", "cost_usd", "cache_hit"),
    "degraded",
)


@dataclass
class Seated:
    """A variant that is ready to answer."""

    flow: Flow
    settings: Workflow
    is_warm: bool = False
    """Its first answer will take no longer than the others."""


class Answering:
    """Builds a variant from the ledger on first sight, so that nobody has to seat it again."""

    def __init__(
        self,
        root: Path,
        embed: Embed,
        endpoints: dict[str, str],
        api_key: str,
        *,
        kept: int,
        recent: Recent | None = None,
    ) -> None:
        self._root = root
        self._shared = Shared(root, embed, endpoints, api_key, recent=recent)
        self._kept = kept
        self._flows: OrderedDict[tuple[str, str], Seated] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()
        self._building = asyncio.Lock()

    async def resume(self) -> None:
        """Go on with durable requests whose process died."""
        if not self._shared.has_journal:
            return
        for run_id in await asyncio.to_thread(self._shared.journal.abandoned):
            try:
                outcome = await self._gone_on(run_id)
                log.warning("request %s was cut off; it is now: %s", run_id, outcome["status"])
            except TrimtabError as error:
                log.warning("request %s was cut off and can't go on: %s", run_id, error)

    async def prime(self) -> None:
        """Have ready what every variant will use."""
        await primed(self._shared, self._shared.endpoints)

    async def warm(self, workflow: str, variant: str) -> None:
        """Build this variant before it gets traffic, and pay what its first answer would pay."""
        await self._flow(workflow, variant)
        seated = self._flows.get((workflow, variant))
        if seated is not None and not seated.is_warm:
            await warmed(seated.settings, self._shared)
            seated.is_warm = True

    def is_warm(self, workflow: str, variant: str) -> bool:
        """Whether this variant is ready for traffic."""
        seated = self._flows.get((workflow, variant))
        return seated is not None and seated.is_warm

    async def answer(self, request: Json, emit: Emit | None = None) -> Json:
        """Answer the last message of a conversation; failures come back as data."""
        offer = request.get("offer")
        asked = Asked(
            id=request["id"],
            messages=request["messages"],
            deadline=time.monotonic() + request["timeout_s"],
            given=request["given"],
            conversation=request["conversation"],
            variant=request["variant"],
            offer=Offer(**offer) if offer else NOTHING,
            trace=request["trace"],
            emit=emit or unheard,
        )
        return await self._answered(asked, request["workflow"])

    async def questions(self, workflow: str) -> list[Json]:
        """What people are waited for to say about a workflow's requests, oldest first."""
        found = await asyncio.to_thread(self._shared.journal.questions, workflow)
        return [vars(one) for one in found]

    async def decide(self, workflow: str, question: str, said: Json) -> Json:
        """Record what a person said, and bring the request that waited for it further.

        Raises:
            NotFoundError: Nobody asked that.
            ConfigError: It is no answer to the question.
        """
        decided = Decided(said["decision"], said["reason"], said["answer"], said["by"])
        journal = self._shared.journal
        found = await asyncio.to_thread(journal.decide, question, decided, workflow=workflow)
        return await self._gone_on(found.run_id)

    @property
    def open_breakers(self) -> dict[tuple[str, ...], float]:
        """Models that are not asked for now, by workflow; in every variant for itself."""
        counts: dict[tuple[str, ...], float] = defaultdict(float)
        for (workflow, variant), breakers in self._shared.breakers.items():
            if (workflow, variant) in self._flows:
                counts[workflow,] += list(breakers.states().values()).count("open")
        return counts

    async def close(self) -> None:
        """Close every variant and its connections; nothing is answered any more."""
        for task in self._closing:
            task.cancel()
        for seated in self._flows.values():
            await seated.flow.close()
        self._flows.clear()
        await self._shared.close()

    async def _gone_on(self, run_id: str) -> Json:
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

    async def _answered(self, asked: Asked, workflow: str) -> Json:
        started = time.perf_counter()
        outcome = unanswered()
        try:
            flow = await self._flow(workflow, asked.variant)
            answer = await flow.answer(asked)
            for name in ANSWERED:
                outcome[name] = getattr(answer, name)
            outcome["questions"] = [vars(one) for one in answer.questions]
            outcome["tool_calls"] = [vars(one) for one in answer.tool_calls]
        except DeadlineError as error:
            outcome |= {"status": "timeout", "error": "timeout", "message": str(error)}
        except StepError as error:
            outcome |= {"status": "error", "error": error.code, "message": str(error)}
        except TrimtabError as error:
            outcome |= {"status": "error", "error": type(error).__name__, "message": str(error)}
        outcome["spans"] = asked.spans
        outcome["work_s"] = time.perf_counter() - started
        return outcome

    async def _flow(self, workflow: str, variant: str) -> Flow:
        key = (workflow, variant)
        if key not in self._flows:
            async with self._building:
                if key not in self._flows:
                    settings = await asyncio.to_thread(self._configured, workflow, variant)
                    flow = await flow_of(settings, self._shared, variant)
                    self._flows[key] = Seated(flow, settings)
                    self._unseat()
        self._flows.move_to_end(key)
        return self._flows[key].flow

    def _unseat(self) -> None:
        while len(self._flows) > self._kept:
            _, old = self._flows.popitem(last=False)
            later = asyncio.create_task(_closed(old.flow, old.settings.timeout_s + UNDO_S))
            self._closing.add(later)
            later.add_done_callback(self._closing.discard)

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


async def _closed(flow: Flow, after_s: float) -> None:
    """Close a variant that was unseated, once the requests that it began with are over."""
    await asyncio.sleep(after_s)
    await flow.close()
