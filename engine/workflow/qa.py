"""Answers questions from a corpus: route, rewrite, find, rerank, answer, review, shorten."""

from collections.abc import Mapping, Sequence
from typing import Self

from engine.config.agents import Agent as AgentSettings
from engine.config.workflow import NodeName, Workflow
from engine.errors import ConfigError
from engine.workflow.agents.draft_review import DraftReview
from engine.workflow.agents.pattern import build
from engine.workflow.agents.prompts import PROMPTS
from engine.workflow.agents.result import Agent
from engine.workflow.agents.single import Single
from engine.workflow.agents.summary import Summary
from engine.workflow.answer import Answer, Asked, answered, timeline_of
from engine.workflow.chunks import Hit
from engine.workflow.context.compress import shorter
from engine.workflow.parts import NOTHING, Asker, Offer, OnText, Tier, Toolbelt
from engine.workflow.reply import Message, Reply, Usage
from engine.workflow.retrieval.retriever import Retriever
from engine.workflow.router import route
from engine.workflow.run import Run
from engine.workflow.toolset import Toolset

NOTHING_USED = Usage(0, 0, 0.0)
"""Of a whole answer: what its turns took is charged by themselves."""
HISTORY = 6
"""Earlier messages of the conversation that the language model gets to see."""
TOOLS = ("calculator",)
MAX_TURNS = 3
"""Of the agent with tools; on the last one it has to answer."""


PLAN = {"router": "route", "retrieve": "retrieve", "agent": "agent"}


class QaFlow:
    """One variant of question answering, ready to answer."""

    def __init__(
        self, workflow: Workflow, asker: Asker, retriever: Retriever, tools: Toolset
    ) -> None:
        self._workflow = workflow
        self._asker = asker
        self._retriever = retriever
        self._tools = tools
        self._front: Asker = self
        self._agents = _agents(workflow, asker, tools.belt(TOOLS))

    async def close(self) -> None:
        """Close the tools."""
        await self._tools.close()

    def behind(self, asker: Asker) -> Self:
        """The same, with whole answers asked of this asker, which may remember them."""
        self._front = asker
        return self

    async def answer(self, asked: Asked) -> Answer:
        """Answer the conversation's last message.

        Raises:
            ConfigError: The last message is not a user's text.
            DeadlineError: The time ran out.
            StepError: The language model failed, and nothing could stand in for it.
        """
        asked_text(asked.messages)
        if asked.offer.tools:
            raise ConfigError("tools: this workflow brings its own; send the request without them")
        run = Run(
            asked.id,
            asked.deadline,
            timeline_of(asked),
            self._workflow.budget,
            asked.emit,
            trace=asked.trace,
        )
        run.emit("plan", {"nodes": PLAN})
        on_text = _piece(run) if run.is_heard else None
        reply = await self._front.ask(asked.messages, run, node="answer_cache", on_text=on_text)
        return answered(reply.text, run, asked.spans)

    async def ask(
        self,
        messages: Sequence[Message],
        run: Run,
        *,
        node: str,
        offer: Offer = NOTHING,
        tier: Tier = "usual",
        on_text: OnText | None = None,
    ) -> Reply:
        """The whole way to an answer, as one turn that a cache may stand before.

        Raises:
            DeadlineError, StepError: As `answer`.
        """
        question = asked_text(messages)
        with run.timeline.span("router") as span:
            agent = route(question, self._workflow.router, self._workflow.nodes)
            span.update(chosen=agent, kind="route")
        hits = await self._retriever.found(messages, run)
        prompt = await self._prompt(messages, question, hits, run)
        with run.timeline.span(agent) as span:
            span["kind"] = "agent"
            outcome = await self._agents[agent].run(prompt, run, on_text=on_text)
        whole = outcome.status == "answered" and not run.degraded
        return Reply(outcome.text, (), NOTHING_USED, "", "stop" if whole else None)

    async def _prompt(
        self, messages: Sequence[Message], question: str, hits: Sequence[Hit], run: Run
    ) -> list[Message]:
        passages = [hit.chunk.text for hit in hits]
        settings = self._workflow.context.compression
        if settings.method != "none" or settings.clean or settings.deduplicate:
            with run.timeline.span("compress") as span:
                before = sum(map(len, passages))
                found = await shorter(passages, question, settings, self._asker, run)
                passages = [one.text for one in found]
                span.update(kind="context", chars_before=before, chars=sum(map(len, passages)))
        context = "\n\n".join(f"[{n}] {text}" for n, text in enumerate(passages, 1))
        return [
            {"role": "system", "content": self._workflow.prompts[self._workflow.llm.prompt]},
            *messages[:-1][-HISTORY:],
            {"role": "user", "content": f"Context:\n{context}\n\nQuestion: {question}"},
        ]


def asked_text(messages: Sequence[Message]) -> str:
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


def _piece(run: Run) -> OnText:
    def on_text(text: str) -> None:
        run.emit("chunk", {"node": "answer", "text": text, "answer": True})

    return on_text


def _agents(workflow: Workflow, asker: Asker, belt: Toolbelt) -> Mapping[NodeName, Agent]:
    nodes = workflow.nodes
    told = {**PROMPTS, **workflow.prompts}
    with_tools = AgentSettings(pattern=nodes.qa_with_tool_agent.pattern, max_steps=MAX_TURNS)
    plain: dict[NodeName, Agent] = {
        "qa_agent": Single(asker),
        "qa_with_tool_agent": build(with_tools, asker, belt, told),
    }
    return {name: _finished(agent, workflow, asker, told) for name, agent in plain.items()}


def _finished(agent: Agent, workflow: Workflow, asker: Asker, told: Mapping[str, str]) -> Agent:
    if workflow.nodes.reviewer.enabled:
        agent = DraftReview(asker, agent, told)
    if workflow.nodes.summary_agent.enabled:
        agent = Summary(asker, agent, workflow.nodes.summary_agent.chars, told)
    return agent
