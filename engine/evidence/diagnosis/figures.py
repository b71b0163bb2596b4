"""What each workflow and each of its nodes took, from traces."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import polars as pl

from engine.evidence.diagnosis.path import Step, steps_of, waited_s

EXAMPLES = 3

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class NodeFigures:
    """What one node of a workflow took."""

    workflow: str
    node: str
    kind: str
    calls: int
    requests: int
    """Requests that it was called in."""
    calls_per_request: float
    """Over all requests of the workflow."""
    critical_share: float
    """The part of all the requests' time that was spent waiting for it."""
    p50_s: float
    p95_s: float
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    failed: int
    failed_share: float
    cache_hit_share: float | None
    """Over the calls that asked a cache; None where none did."""
    trace_ids: tuple[str, ...]
    """Of its slowest calls, the slowest first."""
    failed_ids: tuple[str, ...]
    """Of its latest failures."""


@dataclass(frozen=True)
class WorkflowFigures:
    """What a workflow's requests took."""

    workflow: str
    requests: int
    p50_s: float
    p95_s: float
    model_share: float
    """The part of the time that was spent waiting for language models."""
    elsewhere_share: float
    """The part of the time that no span covers."""
    steps_p95: float
    """Model calls and tool calls of a request."""
    tokens_p95: float | None
    """Of the requests whose tokens are known."""
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    failed_share: float
    over_budget: Mapping[str, int]
    """Requests that used up their `steps`, `tokens` or `cost`."""
    longest_ids: tuple[str, ...]
    """Of the requests with the most steps."""
    dearest_ids: tuple[str, ...]
    """Of the requests with the most tokens."""


@dataclass
class _Node:
    durations_s: list[float] = field(default_factory=list)
    trace_ids: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    waited_s: float = 0.0

    def add(self, step: Step, waited: float, trace_id: str) -> None:
        self.durations_s.append(step.duration_s)
        self.trace_ids.append(trace_id)
        self.steps.append(step)
        self.waited_s += waited


@dataclass(frozen=True)
class _Request:
    trace_id: str
    duration_s: float
    elsewhere_s: float
    steps: int
    tokens: int | None
    spent: frozenset[str]


def figures_of(traces: pl.DataFrame) -> tuple[WorkflowFigures, list[NodeFigures]]:
    """The figures of one workflow's traces, its nodes by the time spent waiting for them."""
    nodes: dict[tuple[str, str], _Node] = {}
    requests: list[_Request] = []
    for trace in traces.sort("at").iter_rows(named=True):
        steps = steps_of(trace["spans"])
        shares, elsewhere_s = waited_s(steps, trace["duration_s"])
        for step, waited in zip(steps, shares, strict=True):
            nodes.setdefault((step.node, step.kind), _Node()).add(step, waited, trace["trace_id"])
        requests.append(_request(trace, steps, elsewhere_s))
    whole_s = sum(request.duration_s for request in requests)
    workflow = traces["workflow"][0]
    figures = [
        _node(workflow, key, node, whole_s=whole_s, requests=len(requests))
        for key, node in nodes.items()
    ]
    figures.sort(key=lambda node: (-node.critical_share, node.node, node.kind))
    return _workflow(traces, requests, figures), figures


def _request(trace: Mapping[str, Any], steps: Sequence[Step], elsewhere_s: float) -> _Request:
    codes = {trace["error"] or "", *(step.error for step in steps)}
    counted = [s for s in steps if s.kind == "tool" or (s.kind == "llm" and s.attempt == 1)]
    return _Request(
        trace_id=trace["trace_id"],
        duration_s=trace["duration_s"],
        elsewhere_s=elsewhere_s,
        steps=len(counted),
        tokens=_sum([trace["input_tokens"], trace["output_tokens"]]),
        spent=frozenset(
            code.removeprefix("budget_") for code in codes if code.startswith("budget_")
        ),
    )


def _node(
    workflow: str, key: tuple[str, str], node: _Node, *, whole_s: float, requests: int
) -> NodeFigures:
    calls = len(node.steps)
    failed = [place for place, step in enumerate(node.steps) if step.failed]
    asked = [step.cache_hit for step in node.steps if step.cache_hit is not None]
    slowest = sorted(range(calls), key=lambda place: -node.durations_s[place])
    return NodeFigures(
        workflow=workflow,
        node=key[0],
        kind=key[1],
        calls=calls,
        requests=len(set(node.trace_ids)),
        calls_per_request=calls / requests,
        critical_share=node.waited_s / whole_s if whole_s else 0.0,
        p50_s=_quantile(node.durations_s, 0.5),
        p95_s=_quantile(node.durations_s, 0.95),
        input_tokens=_sum(step.input_tokens for step in node.steps),
        output_tokens=_sum(step.output_tokens for step in node.steps),
        cost_usd=_sum(step.cost_usd for step in node.steps),
        failed=len(failed),
        failed_share=len(failed) / calls,
        cache_hit_share=sum(asked) / len(asked) if asked else None,
        trace_ids=_examples(node.trace_ids[place] for place in slowest),
        failed_ids=_examples(node.trace_ids[place] for place in reversed(failed)),
    )


def _workflow(
    traces: pl.DataFrame, requests: Sequence[_Request], nodes: Iterable[NodeFigures]
) -> WorkflowFigures:
    durations_s = [request.duration_s for request in requests]
    whole_s = sum(durations_s)
    known = [request.tokens for request in requests if request.tokens is not None]
    by_steps = sorted(requests, key=lambda request: -request.steps)
    by_tokens = sorted(requests, key=lambda request: -(request.tokens or 0))
    return WorkflowFigures(
        workflow=traces["workflow"][0],
        requests=len(requests),
        p50_s=_quantile(durations_s, 0.5),
        p95_s=_quantile(durations_s, 0.95),
        model_share=sum(node.critical_share for node in nodes if node.kind == "llm"),
        elsewhere_share=sum(r.elsewhere_s for r in requests) / whole_s if whole_s else 0.0,
        steps_p95=_quantile([request.steps for request in requests], 0.95),
        tokens_p95=_quantile(known, 0.95) if known else None,
        input_tokens=_sum(traces["input_tokens"]),
        output_tokens=_sum(traces["output_tokens"]),
        cost_usd=_sum(traces["cost_usd"]),
        failed_share=traces.filter(pl.col("status") != "ok").height / traces.height,
        over_budget=dict(Counter(name for request in requests for name in sorted(request.spent))),
        longest_ids=_examples(request.trace_id for request in by_steps),
        dearest_ids=_examples(request.trace_id for request in by_tokens),
    )


def _sum(values: Iterable[Number | None]) -> Number | None:
    """The sum of what is known; None where nothing is."""
    known = [value for value in values if value is not None]
    return sum(known[1:], known[0]) if known else None


def _quantile(values: Sequence[float], share: float) -> float:
    return float(np.quantile(values, share))


def _examples(trace_ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(trace_ids))[:EXAMPLES]
