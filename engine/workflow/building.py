"""Makes one variant of a workflow ready to answer, from what a process has at hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from openai import AsyncOpenAI

from engine.config.graph.check import steps_in
from engine.config.graph.steps import AgentStep, RetrieveStep
from engine.config.model import Breaker
from engine.config.workflow import Workflow
from engine.workflow.agents.pattern import build
from engine.workflow.agents.result import Agent
from engine.workflow.answer import Flow
from engine.workflow.caching.asker import CachedAsker
from engine.workflow.caching.exact import ExactCache
from engine.workflow.caching.opening import opened
from engine.workflow.caching.semantic import SemanticCache
from engine.workflow.embedding import Embed
from engine.workflow.fitting import FittedAsker
from engine.workflow.memo import QueryMemo
from engine.workflow.model.breaker import Breakers
from engine.workflow.model.client import Client, Kept
from engine.workflow.model.prices import PriceList, read_prices
from engine.workflow.model.transport import upstream
from engine.workflow.parts import Asker, Toolbelt
from engine.workflow.plan.place import Parts
from engine.workflow.plan.runs import Runs
from engine.workflow.qa import QaFlow
from engine.workflow.retrieval.retriever import Retriever
from engine.workflow.retrieval.store import load_store
from engine.workflow.served import GraphFlow
from engine.workflow.tooling.builtin.web import Web
from engine.workflow.tooling.parts import Parts as ToolParts
from engine.workflow.toolset import SUBSTITUTES, Toolset, declared, guard_of

PRICES = Path(__file__).parents[2] / "configs" / "prices.yaml"
"""Beside the packages, in a checkout and where they are installed."""


@dataclass
class Shared:
    """What the flows of one process share: nothing that one variant could tell another by."""

    root: Path
    """The workspace."""
    embed: Embed
    endpoints: Mapping[str, str]
    """Where the names lead that a workflow may give in place of a base URL."""
    api_key: str
    client: AsyncOpenAI | None = None
    """Asked instead of the workflow's own endpoint."""

    @cached_property
    def journal(self) -> Runs:
        """What durable requests have done so far."""
        return Runs(f"sqlite:///{self.root / 'requests.db'}")

    @cached_property
    def prices(self) -> PriceList:
        """What models cost."""
        return read_prices(PRICES)


async def flow_of(workflow: Workflow, shared: Shared, variant: str = "") -> Flow:
    """One variant, ready to answer.

    Raises:
        ConfigError: The workflow needs something that is not there.
    """
    asker = asker_of(workflow, shared, variant)
    if workflow.graph is None:
        retriever = await retriever_of(workflow, shared, asker)
        return QaFlow(workflow, asker, retriever, toolset_of(workflow).belt(["calculator"]))
    reads = any(isinstance(step, RetrieveStep) for _, step in steps_in(workflow.graph))
    found = await retriever_of(workflow, shared, asker) if reads else None
    return graph_flow(workflow, shared, asker, found)


def asker_of(workflow: Workflow, shared: Shared, variant: str) -> Asker:
    """The way to the language model: fitted into its context, remembered, retried."""
    settings = workflow.llm
    client = shared.client or upstream(
        shared.endpoints.get(settings.base_url, settings.base_url), shared.api_key
    )
    kept = Kept(Breakers(workflow.resilience.breaker), shared.prices)
    asker: Asker = Client(client, settings, workflow.resilience, kept)
    caching = workflow.caching
    if caching.exact.enabled or caching.semantic.enabled:
        exact = ExactCache(opened(caching), caching.exact)
        semantic = SemanticCache(caching.semantic, shared.embed)
        asker = CachedAsker(
            asker,
            f"{workflow.workflow}:{variant}",
            settings,
            exact=exact,
            semantic=semantic if caching.semantic.enabled else None,
        )
    return FittedAsker(asker, workflow.context, settings.name)


async def retriever_of(workflow: Workflow, shared: Shared, asker: Asker) -> Retriever:
    """The way to the corpus; its index is built where it is missing."""
    settings = workflow.rag.retrieval
    store = await load_store(shared.root / "cache", settings, shared.embed)
    return Retriever(store, settings, QueryMemo(shared.embed), asker)


def toolset_of(workflow: Workflow, *, by_steps: bool = False) -> Toolset:
    """The workflow's tools; `by_steps` allows what the graph itself calls."""
    web = Web(workflow.tools.http) if workflow.tools.http.hosts else None
    parts = ToolParts(
        approve=declared if by_steps else None,
        guard=guard_of(Breakers(Breaker())),
        substitutes=SUBSTITUTES,
    )
    return Toolset(workflow.tools, parts, web=web)


def graph_flow(
    workflow: Workflow, shared: Shared, asker: Asker, retriever: Retriever | None
) -> GraphFlow:
    """A workflow that is a graph of its own."""
    agents, steps = toolset_of(workflow), toolset_of(workflow, by_steps=True)

    def agent(step: AgentStep) -> Agent:
        belt: Toolbelt | None = agents.belt(step.tools) if step.tools else None
        return build(step, asker, belt, workflow.prompts)

    def belt(names: Sequence[str]) -> Toolbelt:
        return steps.belt(names)

    parts = Parts(
        asker=asker,
        find=retriever,
        prompts=workflow.prompts,
        tools=belt,
        changes=steps.changes,
        agent=agent,
    )
    return GraphFlow(workflow, parts, shared.journal if workflow.durable else None)
