"""What an operator may write about a workflow."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from engine.config.agents import Conversations
from engine.config.budget import Budget
from engine.config.caching import Caching
from engine.config.context import Context
from engine.config.embedding import Embeddings
from engine.config.frozen import Frozen
from engine.config.graph.check import graph_problems, steps_in
from engine.config.graph.nested import Graph
from engine.config.graph.steps import AgentStep, ModelStep, PersonStep
from engine.config.model import Resilience
from engine.config.observability import Observability
from engine.config.problem import Problem, did_you_mean, impossible, listed
from engine.config.protection import Protection
from engine.config.retrieval import (
    Chunker,
    Chunking,
    Fusion,
    Mode,
    Reranking,
    Retrieval,
    Rewriting,
)
from engine.config.routing import ModelChoice
from engine.config.tasks import TaskSettings
from engine.config.tools import Tools

Share = Annotated[float, Field(ge=0.0, le=1.0)]
NodeName = Literal["qa_agent", "qa_with_tool_agent"]
Placement = Literal["slot", "inline"]
ReplicaChoice = Literal["in_flight", "free_resources"]


class Llm(Frozen):
    """How the language model is asked."""

    name: str = "embedded-reader"
    """The name sent as `model` to the endpoint."""
    base_url: str = "embedded"
    """An OpenAI-compatible base URL; `embedded` is the offline one, `env` means OPENAI_BASE_URL."""
    temperature: float = Field(0.2, ge=0.0, le=2.0)
    top_p: float = Field(1.0, gt=0.0, le=1.0)
    max_tokens: int = Field(512, ge=1, le=32_768)
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What the request calls `max_tokens`; reasoning models take only the newer name."""
    prompt: str = "plain"
    """A key of `prompts`: the system message."""
    timeout_s: float = Field(20.0, gt=0.0)


class Rerank(Frozen):
    """A second, lexical ordering of what dense retrieval found."""

    enabled: bool = False
    depth: int = Field(20, ge=1, le=200)
    """Chunks fetched before reranking; at least `top_k` are always kept."""


class Rag(Frozen):
    """What the language model gets to read."""

    corpus: str = Field(
        "python-reference", pattern=r"^(python-reference|folder:.+)$", examples=["folder:docs"]
    )
    """`python-reference`, or `folder:PATH` for a folder of texts."""
    embedding: Literal["all-MiniLM-L6-v2"] = "all-MiniLM-L6-v2"
    chunker: Chunker = "borders"
    chunk_chars: int = Field(300, ge=100, le=4_000)
    mode: Mode = "dense"
    """By meaning, by words, or by both."""
    fusion: Fusion = Fusion()
    top_k: int = Field(4, ge=1, le=50)
    rerank: Rerank = Rerank()
    rewrite: Rewriting = Rewriting()

    @property
    def retrieval(self) -> Retrieval:
        """The same for whoever finds the passages."""
        return Retrieval(
            corpus=self.corpus,
            mode=self.mode,
            top_k=self.top_k,
            depth=max(self.top_k, self.rerank.depth),
            chunking=Chunking(chunker=self.chunker, chars=self.chunk_chars),
            fusion=self.fusion,
            rerank=Reranking(method="lexical" if self.rerank.enabled else "none"),
            rewrite=self.rewrite,
        )


class Router(Frozen):
    """Which agent answers: the tool agent when enough keywords occur, else the default one."""

    tool_keywords: tuple[str, ...] = ()
    tool_threshold: int = Field(1, ge=1, le=10)
    """Keywords or numbers that a question must hold before the tool agent takes it."""


class Node(Frozen):
    """One agent of the graph."""

    enabled: bool = True
    default: bool = False
    """Takes every question that the keywords send nowhere; exactly one agent is the default."""


class ToolAgent(Node):
    """The agent that may calculate."""

    pattern: Literal["calling", "react", "team"] = "calling"
    """How it calls its tools: over the protocol, in its text, or by a plan for several."""


class Reviewer(Frozen):
    """Reads an answer before it leaves, and corrects what the context does not support."""

    enabled: bool = False


class Summary(Frozen):
    """Shortens long answers; code stays as it is."""

    enabled: bool = False
    chars: int = Field(600, ge=100, le=20_000)
    """Answers up to this length are left alone, and longer ones brought down to it."""


class Nodes(Frozen):
    """The agents of the question-answering graph."""

    qa_agent: Node = Node(default=True)
    qa_with_tool_agent: ToolAgent = ToolAgent()
    reviewer: Reviewer = Reviewer()
    summary_agent: Summary = Summary()


class Deploy(Frozen):
    """How much machine a workflow gets; not a part of any variant."""

    placement: Placement = "slot"
    """`slot`: each variant runs in replicas of its own. `inline`: all of them run in the gateway's
    replicas, which suits graphs that only wait for remote models. It holds for every variant of a
    workflow, so that their latencies compare."""
    slots: int = Field(5, ge=2, le=64)
    gateways: int = Field(2, ge=1, le=16)
    models: int = Field(1, ge=1, le=16)
    """Replicas of the embedded model."""
    slot_replicas: int = Field(2, ge=1, le=64)
    """Replicas of a slot at full share; a slot gets its share of them, rounded up."""
    most_replicas: int | None = Field(None, ge=1, le=64)
    """To which requests in flight may raise any slot; null: to `slot_replicas`."""
    target_in_flight: int = Field(100, ge=1, le=10_000)
    """Requests in flight that a replica is meant for; with more, a slot gets another one."""
    calm_s: float = Field(60.0, gt=0.0)
    """A slot gives replicas back that it has not needed for this long."""
    choice: ReplicaChoice = "in_flight"
    """Of two replicas drawn at random a request goes to the one with fewer requests in flight, or
    to the one with more free processors and memory for them, which suits unequal machines."""
    slot_cpus: float = Field(0.1, ge=0.0, le=64.0)
    embeddings: Embeddings = Embeddings()
    tasks: TaskSettings = TaskSettings()


class Workflow(Frozen):
    """One agent workflow: its nodes, their settings, and where it runs."""

    workflow: str = Field(pattern=r"^[a-z][a-z0-9-]{0,62}$", examples=["docs-qa"])
    timeout_s: float = Field(300.0, gt=0.0)
    """The deadline of one request, handed down to every call inside it."""
    conversation_ttl_s: float = Field(1_800.0, gt=0.0)
    """How long a conversation keeps the variant it began with."""
    idempotent: bool = True
    """A request may be tried again after a replica died: no node has effects, or the workflow is
    `durable` and its tools take an idempotency key."""
    holdout: float = Field(0.0, ge=0.0, le=0.2)
    """Of all units, those that keep the installed settings whatever is promoted, to show what the
    promotions are worth together; they serve no experiment."""
    record_text: bool = False
    """Keep the text of questions and answers in the store, for metrics that read them."""
    llm: Llm = Llm()
    prompts: dict[str, str] = Field({"plain": "Answer the question from the context."})
    rag: Rag = Rag()
    router: Router = Router()
    nodes: Nodes = Nodes()
    graph: Graph | None = None
    """The workflow's own steps; without any, it answers questions from a corpus."""
    tools: Tools = Tools()
    context: Context = Context()
    caching: Caching = Caching()
    resilience: Resilience = Resilience()
    model_choice: ModelChoice | None = None
    """Sends each turn to the tier of `resilience.tiers` that it needs; null asks the usual one."""
    budget: Budget = Budget()
    conversations: Conversations | None = None
    """Keep what was said, so that a client need not send it again; null keeps nothing."""
    durable: bool = False
    """Keep what each step gave until the request is over, so that one that was cut off goes on
    where it stood; a graph that waits for people needs it."""
    deploy: Deploy = Deploy()
    protection: Protection = Protection()
    observability: Observability = Observability()

    @model_validator(mode="after")
    def _possible(self) -> Self:
        about = (self._about_prompt(), self._about_default(), self._about_graph())
        if problems := [problem for each in about for problem in each]:
            raise impossible(problems)
        return self

    def _about_prompt(self) -> Iterator[Problem]:
        name = self.llm.prompt
        # A graph's steps name their own prompts.
        if self.graph is None and name not in self.prompts:
            hint = did_you_mean(name, self.prompts)
            yield Problem(("llm", "prompt"), f"got {name!r}, which `prompts` does not hold; {hint}")

    def _about_default(self) -> Iterator[Problem]:
        agents = {
            "qa_agent": self.nodes.qa_agent,
            "qa_with_tool_agent": self.nodes.qa_with_tool_agent,
        }
        defaults = [name for name, node in agents.items() if node.default]
        if len(defaults) != 1:
            found = listed(defaults) if defaults else "none"
            why = f"got {found} as the default; write `default: true` for exactly one agent"
            yield Problem(("nodes",), why)
        elif not agents[defaults[0]].enabled:
            why = "the default agent can't be disabled; enable it or make another the default"
            yield Problem(("nodes", defaults[0], "enabled"), why)

    def _about_graph(self) -> Iterator[Problem]:
        if self.graph is None:
            return
        yield from (problem.under(("graph",)) for problem in graph_problems(self.graph))
        for where, step in steps_in(self.graph):
            place = ("graph", *where)
            if isinstance(step, ModelStep | AgentStep) and step.system not in {"", *self.prompts}:
                hint = did_you_mean(step.system, self.prompts)
                why = f"got {step.system!r}, which `prompts` does not hold; {hint}"
                yield Problem((*place, "system"), why)
            if not self.durable and (isinstance(step, PersonStep) or step.on_error == "person"):
                why = "a person may take days; write `durable: true` at the top of the file"
                yield Problem(place, why, at_key=True)
            if isinstance(step, ModelStep) and step.client_tools:
                answers = (*where, "text") == ("nodes", *self.graph.output.split("."))
                for why in self._against_client_tools(step, answers=answers):
                    yield Problem((*place, "client_tools"), f"got true, but {why}")

    def _against_client_tools(self, step: ModelStep, *, answers: bool) -> Iterator[str]:
        if not answers:
            yield "the graph's output isn't this step's text; write it at the step that answers"
        if step.fields:
            yield "a call of a tool holds no `fields`; take them out"
        if self.durable:
            yield "a durable request keeps its answer, not its calls; write `durable: false`"
