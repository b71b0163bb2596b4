"""A workload that repeats itself: what caches and a cheap model save, and what they cost."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from openai import AsyncOpenAI

from cluster.bench.rows import Row, compared, judged
from cluster.bench.runtime.questions import Asked, asked, questions, script
from engine.config import agents, caching
from engine.config.model import Resilience, Tiers
from engine.config.workflow import Llm
from engine.testing.faults.launch import fault_model
from engine.workflow.agents.pattern import build
from engine.workflow.agents.result import Agent
from engine.workflow.building import PRICES
from engine.workflow.caching.asker import CachedAsker
from engine.workflow.caching.exact import ExactCache
from engine.workflow.caching.memory import MemoryStore
from engine.workflow.caching.semantic import SemanticCache
from engine.workflow.embedding import Embed, FloatArray
from engine.workflow.embeddings.minilm import Encoder
from engine.workflow.model.breaker import Breakers
from engine.workflow.model.client import Client, Kept
from engine.workflow.model.prices import read_prices
from engine.workflow.model.transport import upstream
from engine.workflow.parts import Asker
from engine.workflow.run import Run
from engine.workflow.spans import Timeline

SEED = 12
USUAL, CHEAP = "gpt-4o", "gpt-4o-mini"
SYSTEM = "Answer questions about the product from its handbook."


@dataclass
class Spent:
    """What a whole workload took and came to."""

    cost_usd: float = 0.0
    right: int = 0
    confused: int = 0
    """Answers that belong to another question."""
    calls: int = 0
    """Calls that the endpoint charged for."""


def measure(*, quick: bool) -> list[Row]:
    """The same requests three times: with nothing, with caches, with caches and tiers."""
    return asyncio.run(_measured(600 if quick else 2_000))


async def _measured(count: int) -> list[Row]:
    rng = np.random.default_rng(SEED)
    known = questions(rng)
    requests = asked(known, count, rng)
    encoder = await asyncio.to_thread(Encoder)

    async def embed(texts: Sequence[str]) -> FloatArray:
        return await asyncio.to_thread(encoder.encode, texts)

    async with (
        fault_model(script(known, USUAL, CHEAP)) as server,
        upstream(server.base_url, "none") as opened,
    ):
        plain = await _spent(build(agents.Agent(pattern="single"), _client(opened)), requests)
        remembering = _cached(_client(opened), embed)
        cached = await _spent(build(agents.Agent(pattern="single"), remembering), requests)
        both = _cached(_client(opened), embed)
        tiered = await _spent(build(agents.Agent(pattern="shortcut"), both), requests)
    return rows(requests, plain, cached, tiered)


def _client(opened: AsyncOpenAI) -> Client:
    resilience = Resilience(tiers=Tiers(cheap=CHEAP))
    kept = Kept(Breakers(resilience.breaker), read_prices(PRICES))
    return Client(opened, Llm(name=USUAL), resilience, kept)


def _cached(asker: Asker, embed: Embed) -> CachedAsker:
    settings = caching.Caching(
        exact=caching.Exact(enabled=True), semantic=caching.Semantic(enabled=True)
    )
    exact = ExactCache(MemoryStore(settings.memory), settings.exact)
    semantic = SemanticCache(settings.semantic, embed)
    return CachedAsker(asker, "bench", Llm(name=USUAL), exact=exact, semantic=semantic)


async def _spent(agent: Agent, requests: Sequence[Asked]) -> Spent:
    spent = Spent()
    for number, one in enumerate(requests):
        run = Run(f"run-{number}", time.monotonic() + 60.0, Timeline([]))
        messages = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": one.wording},
        ]
        outcome = await agent.run(messages, run)
        question = one.question
        spent.cost_usd += run.cost_usd
        spent.calls += len(run.usages)
        spent.right += outcome.text == question.answer
        spent.confused += outcome.text not in {
            question.said(right=True),
            question.said(right=False),
        }
    return spent


def rows(requests: Sequence[Asked], plain: Spent, cached: Spent, tiered: Spent) -> list[Row]:
    """What was saved against asking the usual model every time, and what it did to the answers."""
    count = len(requests)
    distinct = len({one.wording for one in requests})
    work = (
        f"{count} requests for 200 questions by Zipf's law in 6 wordings each, "
        f"{distinct} distinct texts"
    )
    goal = ">= 0.8"
    points = 100.0 * (tiered.right - plain.right) / count
    return [
        compared(
            _cost("repeating-cost", "cost a request with caches and tiers", tiered, count),
            plain.cost_usd / count,
        ),
        judged(
            _saved(
                "repeating-saved", f"{work}: cost saved by caches and tiers", tiered, plain, goal
            )
        ),
        _saved("repeating-saved-by-caches", "of it by caches alone", cached, plain, None),
        compared(
            _part("repeating-calls", "model calls a request", tiered.calls, count),
            plain.calls / count,
        ),
        compared(
            _part("repeating-accuracy", "right answers", tiered.right, count), plain.right / count
        ),
        judged(
            Row(
                id="repeating-quality",
                what="accuracy lost or won",
                value=points,
                unit="points",
                goal=">= -1",
            )
        ),
        _part("repeating-confused", "answers of another question", tiered.confused, count),
    ]


def _cost(id_: str, what: str, spent: Spent, count: int) -> Row:
    return Row(id=id_, what=what, value=spent.cost_usd / count, unit="USD")


def _saved(id_: str, what: str, spent: Spent, plain: Spent, goal: str | None) -> Row:
    share = 1.0 - spent.cost_usd / plain.cost_usd
    return Row(id=id_, what=what, value=share, unit="", goal=goal)


def _part(id_: str, what: str, hits: int, count: int) -> Row:
    return Row(id=id_, what=what, value=hits / count, unit=f"of {count}")
