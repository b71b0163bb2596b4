"""Makes one variant of a workflow ready to answer, from what a process has at hand."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from openai import AsyncOpenAI

from engine.config.agents import Conversations
from engine.config.graph.check import steps_in
from engine.config.graph.steps import AgentStep, RetrieveStep
from engine.config.workflow import Workflow
from engine.errors import ConfigError
from engine.workflow.agents.pattern import build
from engine.workflow.agents.result import Agent
from engine.workflow.answer import Flow
from engine.workflow.caching.asker import CachedAsker
from engine.workflow.caching.exact import ExactCache
from engine.workflow.caching.opening import opened
from engine.workflow.caching.semantic import SemanticCache
from engine.workflow.caching.tools import ToolCache
from engine.workflow.context.audio import transcribed
from engine.workflow.embedding import Embed
from engine.workflow.fitting import FittedAsker
from engine.workflow.intents import StepIntents
from engine.workflow.memo import QueryMemo, Recent
from engine.workflow.model.breaker import Breakers
from engine.workflow.model.client import Client, Kept
from engine.workflow.model.fallback import nothing_remembered
from engine.workflow.model.prices import PriceList, read_prices
from engine.workflow.model.remembered import LastAnswers
from engine.workflow.model.transport import upstream
from engine.workflow.parts import Asker
from engine.workflow.plan.place import Parts, needed
from engine.workflow.plan.runs import Runs
from engine.workflow.qa import QaFlow
from engine.workflow.remembering import RememberingFlow
from engine.workflow.retrieval.retriever import Retriever
from engine.workflow.retrieval.store import load_store
from engine.workflow.routed import RoutedAsker
from engine.workflow.run import Run
from engine.workflow.served import GraphFlow
from engine.workflow.sessions.session import Sessions
from engine.workflow.sessions.sqlite import SqliteSessions
from engine.workflow.tooling.belt import Belt
from engine.workflow.toolset import Toolset

PRICES = Path(__file__).parents[2] / "configs" / "prices.yaml"
"""Beside the packages, in a checkout and where they are installed."""

JOURNAL = "requests.db"


@dataclass
class Shared:
    """What the flows of one process share: nothing that changes what a variant answers."""

    root: Path
    """The workspace."""
    embed: Embed
    endpoints: Mapping[str, str]
    """Where the names lead that a workflow may give in place of a base URL."""
    api_key: str
    client: AsyncOpenAI | None = None
    """Asked instead of the workflow's own endpoint."""
    recent: Recent | None = None
    """What other processes asked of late; None where there is no other."""
    breakers: dict[tuple[str, str], Breakers] = field(default_factory=dict, init=False)
    """Of the models, by workflow and variant."""
    _sessions: Sessions | None = field(default=None, init=False)
    _clients: dict[str, AsyncOpenAI] = field(default_factory=dict, init=False)

    @cached_property
    def journal(self) -> Runs:
        """What durable requests have done so far."""
        return Runs(f"sqlite:///{self.root / JOURNAL}")

    @property
    def has_journal(self) -> bool:
        """Whether there ever was a durable request."""
        return (self.root / JOURNAL).exists()

    def sessions(self, settings: Conversations) -> Sessions:
        """What was said in conversations, kept across restarts."""
        if self._sessions is None:
            self._sessions = SqliteSessions(self.root / "conversations.db", settings)
        return self._sessions

    def client_at(self, url: str) -> AsyncOpenAI:
        """The connections to an endpoint: one pool, however many variants come and go."""
        if self.client is not None:
            return self.client
        if url not in self._clients:
            self._clients[url] = upstream(self.endpoints.get(url, url), self.api_key)
        return self._clients[url]

    async def close(self) -> None:
        """Close the connections that were opened here."""
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    @cached_property
    def memo(self) -> QueryMemo:
        """The vectors of questions that any of the variants was asked."""
        return QueryMemo(self.embed)

    @cached_property
    def prices(self) -> PriceList:
        """What models cost."""
        return read_prices(PRICES)


async def flow_of(workflow: Workflow, shared: Shared, variant: str = "") -> Flow:
    """One variant, ready to answer; whoever asked for it closes it.

    Raises:
        ConfigError: The workflow needs something that is not there.
    """
    asker = asker_of(workflow, shared, variant)
    retriever = await retriever_of(workflow, shared, asker) if reads(workflow) else None
    memory = ToolCache(opened(workflow.caching), f"{workflow.workflow}:{variant}")
    tools = await Toolset.opened(workflow.tools, memory=memory, asks=workflow.durable)
    try:
        if workflow.graph is None:
            found = needed(retriever, "a corpus")
            answering = QaFlow(workflow, asker, found, tools)
            flow: Flow = answering.behind(cached(answering, workflow, shared, variant))
        else:
            flow = graph_flow(workflow, shared, asker, retriever, tools)
    except ConfigError:
        await tools.close()
        raise
    if workflow.conversations is None:
        return flow
    return RememberingFlow(flow, shared.sessions(workflow.conversations), workflow.workflow)


def reads(workflow: Workflow) -> bool:
    """Whether it answers from a corpus, so that it needs an index."""
    graph = workflow.graph
    return graph is None or any(isinstance(step, RetrieveStep) for _, step in steps_in(graph))


def asker_of(workflow: Workflow, shared: Shared, variant: str) -> Asker:
    """The way to the language model: fitted into its context, remembered, retried."""
    settings, client = workflow.llm, client_of(workflow, shared)
    resilience = workflow.resilience
    last = LastAnswers() if resilience.fallback.cached else None
    breakers = shared.breakers[workflow.workflow, variant] = Breakers(resilience.breaker)
    kept = Kept(breakers, shared.prices, last or nothing_remembered)
    asker: Asker = Client(client, settings, resilience, kept)
    if workflow.model_choice is not None:
        asker = RoutedAsker(asker, workflow.model_choice, settings.name)
    if workflow.graph is not None:
        # Question answering remembers whole answers: with the passages, no prompt is like another.
        asker = cached(asker, workflow, shared, variant)
    return FittedAsker(asker, workflow.context, settings.name, last)


def client_of(workflow: Workflow, shared: Shared) -> AsyncOpenAI:
    """The connection to the workflow's endpoint."""
    return shared.client_at(workflow.llm.base_url)


def cached(asker: Asker, workflow: Workflow, shared: Shared, variant: str) -> Asker:
    """The same asker, behind the caches that the workflow turns on."""
    caching = workflow.caching
    if not caching.exact.enabled:
        return asker
    return CachedAsker(
        asker,
        f"{workflow.workflow}:{variant}",
        workflow.llm,
        exact=ExactCache(opened(caching), caching.exact),
        semantic=SemanticCache(caching.semantic, shared.embed)
        if caching.semantic.enabled
        else None,
    )


async def retriever_of(
    workflow: Workflow, shared: Shared, asker: Asker, memo: QueryMemo | None = None
) -> Retriever:
    """The way to the corpus; its index is built where it is missing."""
    settings = workflow.rag.retrieval
    store = await load_store(shared.root / "cache", settings, shared.embed)
    return Retriever(store, settings, memo or shared.memo, asker)


def graph_flow(
    workflow: Workflow,
    shared: Shared,
    asker: Asker,
    retriever: Retriever | None,
    tools: Toolset,
) -> GraphFlow:
    """A workflow that is a graph of its own."""
    belts: dict[tuple[str, ...], Belt] = {}

    def belt(step: AgentStep) -> Belt:
        if step.tools not in belts:
            belts[step.tools] = tools.belt(step.tools)
        return belts[step.tools]

    def agent(step: AgentStep) -> Agent:
        return build(step, asker, belt(step) if step.tools else None, workflow.prompts)

    async def transcribe(audio: bytes, run: Run, model: str) -> str:
        return await transcribed(client_of(workflow, shared), audio, run, model=model)

    parts = Parts(
        asker=asker,
        find=retriever,
        prompts=workflow.prompts,
        tools=lambda names: tools.belt(names, declared=True),
        changes=tools.changes,
        transcribe=transcribe,
        agent=agent,
        early=lambda step: belt(step).prefetching,
        intents=lambda step: StepIntents(step, shared.embed),
    )
    return GraphFlow(workflow, parts, shared.journal if workflow.durable else None, tools)
