"""What to turn about a workflow: each recommendation with its figure and its limit."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from engine.evidence.diagnosis.figures import NodeFigures, WorkflowFigures

Finding = Literal[
    "slow_model",
    "model_bound",
    "slow_tool",
    "many_steps",
    "many_tokens",
    "failing",
    "cold_cache",
    "over_budget",
]

ADVICE: dict[Finding, str] = {
    "slow_model": "let the model write less, or ask a faster one",
    "model_bound": "answer from a cache what was asked before, or ask a faster model",
    "slow_tool": "give up on it sooner, or remember its results",
    "many_steps": "allow fewer steps, so that an agent comes to its answer sooner",
    "many_tokens": "give the model less to read and let it write less",
    "failing": "try again what may pass, and name what stands in for it",
    "cold_cache": "keep entries for longer, or let more questions count as the same",
    "over_budget": "raise the budget, or save before it is used up",
}


@dataclass(frozen=True)
class Limits:
    """What a figure may reach before it is worth a recommendation."""

    model_call_s: float = 5.0
    """The 95th percentile of a node's model calls."""
    model_share: float = 0.8
    """The part of the time that is spent waiting for models."""
    tool_call_s: float = 2.0
    """The 95th percentile of a node's tool calls."""
    steps: float = 10.0
    """The 95th percentile of a request's model and tool calls."""
    tokens: float = 10_000.0
    """The 95th percentile of a request's tokens."""
    failed_share: float = 0.05
    """The part of a node's calls that fail."""
    cache_hit_share: float = 0.1
    """Below this a cache in use hardly pays."""
    over_budget_share: float = 0.01
    """The part of the requests that use up a budget."""
    min_calls: int = 20
    """Nodes with fewer calls, and workflows with fewer requests, get no recommendation."""


@dataclass(frozen=True)
class Recommendation:
    """One thing to turn, and why."""

    finding: Finding
    workflow: str
    node: str
    """Empty for the workflow as a whole."""
    figure: float
    limit: float
    severity: float
    """How many times beyond the limit; at least 1."""
    advice: str
    parameters: tuple[str, ...]
    """Dotted paths in the workflow's file."""
    trace_ids: tuple[str, ...]
    """Examples, the worst first."""


def recommended(
    workflow: WorkflowFigures, nodes: list[NodeFigures], limits: Limits
) -> list[Recommendation]:
    """What these figures recommend, what is furthest beyond its limit first."""
    found: list[Recommendation] = []
    if workflow.requests >= limits.min_calls:
        found += _of_workflow(workflow, nodes, limits)
    for node in nodes:
        if node.calls >= limits.min_calls:
            found += _of_node(node, limits)
    return sorted(found, key=lambda one: (-one.severity, one.node, one.finding))


def _of_workflow(
    whole: WorkflowFigures, nodes: list[NodeFigures], limits: Limits
) -> Iterator[Recommendation]:
    slowest = next((node.trace_ids for node in nodes if node.kind == "llm"), ())
    caches = ("caching.exact.enabled", "caching.semantic.enabled", "llm.name")
    if whole.model_share > limits.model_share:
        yield _one("model_bound", whole, (whole.model_share, limits.model_share), caches, slowest)
    if whole.steps_p95 > limits.steps:
        figures = (whole.steps_p95, limits.steps)
        yield _one("many_steps", whole, figures, ("budget.steps",), whole.longest_ids)
    if whole.tokens_p95 is not None and whole.tokens_p95 > limits.tokens:
        figures = (whole.tokens_p95, limits.tokens)
        turn = ("rag.top_k", "context.compression.method", "context.turns", "llm.max_tokens")
        yield _one("many_tokens", whole, figures, turn, whole.dearest_ids)
    for name, spent in whole.over_budget.items():
        figures = (spent / whole.requests, limits.over_budget_share)
        if figures[0] > figures[1]:
            budget = (_budget(name), "budget.degrade_at")
            yield _one("over_budget", whole, figures, budget, whole.dearest_ids)


def _of_node(node: NodeFigures, limits: Limits) -> Iterator[Recommendation]:
    if node.kind == "llm" and node.p95_s > limits.model_call_s:
        turn = ("llm.max_tokens", "llm.name")
        yield _one("slow_model", node, (node.p95_s, limits.model_call_s), turn, node.trace_ids)
    if node.kind == "tool" and node.p95_s > limits.tool_call_s:
        turn = (_tool(node, "timeout_s"), _tool(node, "cache_ttl_s"))
        yield _one("slow_tool", node, (node.p95_s, limits.tool_call_s), turn, node.trace_ids)
    if node.failed_share > limits.failed_share:
        figures = (node.failed_share, limits.failed_share)
        yield _one("failing", node, figures, _against_failures(node), node.failed_ids)
    hits = node.cache_hit_share
    if hits is not None and hits < limits.cache_hit_share and _against_misses(node):
        figures = (hits, limits.cache_hit_share)
        yield _one("cold_cache", node, figures, _against_misses(node), node.trace_ids)


def _one(
    finding: Finding,
    about: WorkflowFigures | NodeFigures,
    figures: tuple[float, float],
    parameters: tuple[str, ...],
    trace_ids: tuple[str, ...],
) -> Recommendation:
    figure, limit = figures
    # A cache without a single hit is as far below its limit as a hundred times.
    beyond = limit / max(figure, limit / 100.0) if finding == "cold_cache" else figure / limit
    return Recommendation(
        finding=finding,
        workflow=about.workflow,
        node=about.node if isinstance(about, NodeFigures) else "",
        figure=figure,
        limit=limit,
        severity=beyond,
        advice=ADVICE[finding],
        parameters=parameters,
        trace_ids=trace_ids,
    )


def _budget(name: str) -> str:
    return "budget.cost_usd" if name == "cost" else f"budget.{name}"


def _tool(node: NodeFigures, setting: str) -> str:
    return f"tools.settings.{node.node}.{setting}"


def _against_failures(node: NodeFigures) -> tuple[str, ...]:
    match node.kind:
        case "llm":
            return ("resilience.retry.attempts", "resilience.fallback.models")
        case "tool":
            return (_tool(node, "retries"), _tool(node, "timeout_s"))
        case _:
            return ()


def _against_misses(node: NodeFigures) -> tuple[str, ...]:
    match node.kind:
        case "llm":
            return ("caching.semantic.threshold", "caching.exact.ttl_s")
        case "tool":
            return (_tool(node, "cache_ttl_s"),)
        case _:
            return ()
