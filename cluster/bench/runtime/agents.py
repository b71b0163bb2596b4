"""The same task done by a bare loop over the openai client, and by the engine's agent."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from openai import AsyncOpenAI

from cluster.bench.runtime.orders import Order
from engine.config.model import Fallback, Resilience
from engine.config.tools import Tools
from engine.config.workflow import Llm
from engine.errors import TrimtabError
from engine.workflow.agents.calling import Calling
from engine.workflow.building import PRICES
from engine.workflow.calculator import calculate, written
from engine.workflow.model.breaker import Breakers
from engine.workflow.model.client import Client, Kept
from engine.workflow.model.prices import read_prices, today
from engine.workflow.run import Run
from engine.workflow.spans import Span, Timeline
from engine.workflow.tooling.belt import Belt
from engine.workflow.tooling.builtin.plain import calculator
from engine.workflow.tooling.registry import Registry

USUAL, FASTER = "gpt-4o", "gpt-4o-mini"
PATIENCE_S = 180.0
DEADLINE_S = 30.0
TURNS = 6


@dataclass(frozen=True)
class Done:
    """What came of one request."""

    right: bool
    erred: bool
    """A call failed on the way, or the request did."""
    seconds: float
    cost_usd: float


Work = Callable[[Order], Awaitable[Done]]


def naive(client: AsyncOpenAI) -> Work:
    """One model, no retry, no fallback; any failure is the request's own."""
    price = read_prices(PRICES).price(USUAL, today())
    schemas: Any = [calculator.schema]

    async def work(order: Order) -> Done:
        began = time.monotonic()
        messages: list[Any] = list(order.messages)
        results: list[str] = []
        cost_usd, answer, erred = 0.0, "", False
        try:
            for _ in range(TURNS):
                completion = await client.chat.completions.create(
                    model=USUAL, messages=messages, tools=schemas
                )
                if price and completion.usage:
                    usage = completion.usage
                    cost_usd += price.cost_usd(usage.prompt_tokens, 0, usage.completion_tokens)
                message = completion.choices[0].message
                if not message.tool_calls:
                    answer = message.content or ""
                    break
                messages.append(message.model_dump(exclude_none=True))
                for call in message.tool_calls:
                    results.append(_called(call))
                    told = {"role": "tool", "tool_call_id": call.id, "content": results[-1]}
                    messages.append(told)
        except Exception:  # noqa: BLE001 - whatever it is, a bare loop ends there
            erred = True
        right = order.is_right(answer, results)
        return Done(right, erred, time.monotonic() - began, cost_usd)

    return work


def resilient(client: AsyncOpenAI) -> Work:
    """The engine's agent with its defaults, a faster model, and last a preset answer."""
    resilience = Resilience(
        fallback=Fallback(models=(FASTER,), preset="Not answered; ask again for {task_id}."),
    )
    kept = Kept(Breakers(resilience.breaker), read_prices(PRICES))
    asker = Client(client, Llm(name=USUAL, timeout_s=8.0), resilience, kept)
    belt = Belt(Registry([calculator]), Tools(scopes=("calculator",)))
    agent = Calling(asker, belt)

    async def work(order: Order) -> Done:
        spans: list[Span] = []
        run = Run(order.name, time.monotonic() + DEADLINE_S, Timeline(spans))
        began = time.monotonic()
        answer, results = "", list[str]()
        try:
            outcome = await agent.run(order.messages, run)
        except TrimtabError:
            erred = True
        else:
            answer = outcome.text
            results = [str(each["content"]) for each in outcome.messages if each["role"] == "tool"]
            refused = any(result.startswith("error:") for result in results)
            erred = refused or any(span["status"] != "ok" for span in spans)
        right = order.is_right(answer, results)
        return Done(right, erred, time.monotonic() - began, run.cost_usd)

    return work


def _called(call: Any) -> str:
    tools = {"calculator": lambda expression: written(calculate(expression))}
    return tools[call.function.name](**json.loads(call.function.arguments))
