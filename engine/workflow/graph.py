"""The question-answering graph: a router, two agents, retrieval before either."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openai import AsyncOpenAI

from engine.config.workflow import NodeName, Workflow
from engine.errors import ConfigError, DeadlineError
from engine.workflow.answer import Answer
from engine.workflow.embedding import Embed
from engine.workflow.failure import ToolError
from engine.workflow.index import Hit, Index
from engine.workflow.llm import Llm, Price
from engine.workflow.memo import QueryMemo
from engine.workflow.reply import Message, Reply, ToolCall, Usage, total, wish
from engine.workflow.rerank import reranked
from engine.workflow.router import route
from engine.workflow.spans import Span, Timeline
from engine.workflow.tools import CALCULATOR, called

MAX_TURNS = 3
HISTORY = 6
"""Earlier messages of the conversation that the language model gets to see."""


@dataclass(frozen=True)
class Found:
    """What the language model will read, and whether the question's vector was remembered."""

    hits: list[Hit]
    remembered: bool = field(kw_only=True)


class QaGraph:
    """One variant of the workflow, ready to answer; it shares no memory with other variants."""

    def __init__(
        self,
        workflow: Workflow,
        index: Index,
        embed: Embed,
        client: AsyncOpenAI,
        *,
        prices: Mapping[str, Price] | None = None,
    ) -> None:
        self._workflow = workflow
        self._index = index
        self._memo = QueryMemo(embed)
        self._llm = Llm(client, workflow.llm, prices)

    async def answer(
        self, messages: Sequence[Message], *, deadline: float, spans: list[Span]
    ) -> Answer:
        """Answer the conversation's last message; `deadline` is on the monotonic clock.

        Spans are written into `spans` as they end, so a failed request leaves its own too.

        Raises:
            ConfigError: The last message is not a user's text.
            DeadlineError: The time ran out.
            LlmError: The language model failed.
        """
        question = asked(messages)
        timeline = Timeline(spans)
        with timeline.span("router") as span:
            agent = route(question, self._workflow.router, self._workflow.nodes)
            span["chosen"] = agent
        found = await self._retrieve(question, deadline, timeline)
        hits = self._rerank(question, found.hits, timeline)
        prompt = self._prompt(messages, question, hits)
        replies = await self._ask(agent, prompt, deadline, timeline)
        usage = total(reply.usage for reply in replies)
        return Answer(
            text=replies[-1].text,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=usage.cost_usd,
            model=replies[-1].model,
            cache_hit=found.remembered,
            spans=tuple(spans),
        )

    async def _retrieve(self, question: str, deadline: float, timeline: Timeline) -> Found:
        rag = self._workflow.rag
        wanted = max(rag.top_k, rag.rerank.depth) if rag.rerank.enabled else rag.top_k
        with timeline.span("retrieve") as span:
            try:
                async with asyncio.timeout(deadline - time.monotonic()):
                    vector, hit = await self._memo.vector(question)
            except TimeoutError as error:
                raise DeadlineError("the question's vector came too late") from error
            span["cache_hit"] = hit
            return Found(self._index.search(vector, wanted), remembered=hit)

    def _rerank(self, question: str, hits: list[Hit], timeline: Timeline) -> list[Hit]:
        rag = self._workflow.rag
        if not rag.rerank.enabled:
            return hits
        with timeline.span("rerank"):
            return reranked(question, hits, rag.top_k)

    def _prompt(
        self, messages: Sequence[Message], question: str, hits: Sequence[Hit]
    ) -> list[Message]:
        context = "\n\n".join(f"[{n}] {hit.chunk.text}" for n, hit in enumerate(hits, 1))
        return [
            {"role": "system", "content": self._workflow.prompts[self._workflow.llm.prompt]},
            *messages[:-1][-HISTORY:],
            {"role": "user", "content": f"Context:\n{context}\n\nQuestion: {question}"},
        ]

    async def _ask(
        self, agent: NodeName, prompt: list[Message], deadline: float, timeline: Timeline
    ) -> list[Reply]:
        tools = [CALCULATOR] if agent == "qa_with_tool_agent" else []
        replies: list[Reply] = []
        conversation = list(prompt)
        for turn in range(1, MAX_TURNS + 1):
            # On the last turn the tools stay listed but closed, so it has to answer.
            choice = "auto" if turn < MAX_TURNS else "none"
            with timeline.span(agent) as span:
                reply = await self._llm.ask(
                    conversation, deadline=deadline, tools=tools, tool_choice=choice
                )
                span.update(_tokens(reply.usage))
            replies.append(reply)
            if not reply.tool_calls or turn == MAX_TURNS:
                break
            conversation.append(wish(reply))
            conversation += [_result(call, timeline) for call in reply.tool_calls]
        return replies


def asked(messages: Sequence[Message]) -> str:
    """The text of the conversation's last message.

    Raises:
        ConfigError: There is none, or it isn't a user's.
    """
    last = messages[-1] if messages else {}
    content = last.get("content")
    if isinstance(content, list):
        content = " ".join(part.get("text", "") for part in content if isinstance(part, dict))
    if last.get("role") != "user" or not isinstance(content, str) or not content.strip():
        raise ConfigError("messages: the last one must have the role `user` and hold text")
    return content.strip()


def _tokens(usage: Usage) -> dict[str, Any]:
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}


def _result(call: ToolCall, timeline: Timeline) -> Message:
    with timeline.span("calculator") as span:
        try:
            content = called(call)
        except ToolError as error:
            span.update(status="error", error="tool_arguments")
            content = f"error: {error}"
    return {"role": "tool", "tool_call_id": call.id, "content": content}
