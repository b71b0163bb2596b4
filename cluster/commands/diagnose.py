"""`trimtab diagnose`: where time, tokens and money go, and what to turn about it."""

import time
from dataclasses import asdict
from typing import Annotated

import polars as pl
import typer

from cluster.commands.observe import seconds_of
from cluster.options import DEFAULT, Json, Workspace
from cluster.output import say, show, show_json, show_table
from cluster.workspace import existing
from engine.errors import ConfigError
from engine.evidence.diagnosis.advice import Finding, Limits, Recommendation
from engine.evidence.diagnosis.diagnose import Diagnosis, users_traces
from engine.evidence.diagnosis.diagnose import diagnose as diagnosis_of
from engine.evidence.diagnosis.figures import NodeFigures, WorkflowFigures
from search.books import FactsFollower

USUAL = Limits()
WORKFLOW = (
    *("workflow", "requests", "p50", "p95", "models", "elsewhere", "steps p95", "tokens p95"),
    *("cost", "failed", "over budget"),
)
NODE = (
    *("node", "kind", "time", "p50", "p95", "calls a request", "tokens in", "tokens out"),
    *("cost", "failed", "cache hits"),
)
WORDS: dict[Finding, str] = {
    "slow_model": "95 % of its model calls take up to",
    "model_bound": "the share of time spent waiting for models is",
    "slow_tool": "95 % of its calls take up to",
    "many_steps": "95 % of its requests take steps up to",
    "many_tokens": "95 % of its requests take tokens up to",
    "failing": "the share of its calls that fail is",
    "cold_cache": "the share of its calls that a cache answers is",
    "over_budget": "the share of requests that use up a budget is",
}


def diagnose(
    workspace: Workspace = DEFAULT,
    workflow: Annotated[str | None, typer.Option(help="This workflow only.")] = None,
    since: Annotated[str, typer.Option(help="How far back: 90s, 60m, 2h, 1d.")] = "1h",
    model_call_s: Annotated[
        float, typer.Option(help="A model call's 95th percentile above this is slow.")
    ] = USUAL.model_call_s,
    tool_call_s: Annotated[
        float, typer.Option(help="A tool call's 95th percentile above this is slow.")
    ] = USUAL.tool_call_s,
    min_calls: Annotated[
        int, typer.Option(help="Nodes with fewer calls get no recommendation.")
    ] = USUAL.min_calls,
    *,
    as_json: Json = False,
) -> None:
    """Show where time, tokens and money go, and what to turn about it.

    Example: trimtab diagnose --workflow support --since 15m
    """
    since_s = _seconds_of(since)
    now = time.time()
    facts = FactsFollower(existing(workspace), whole=True).follow()
    traces = users_traces(facts, after=now - since_s, upto=now)
    if workflow is not None:
        traces = traces.filter(pl.col("workflow") == workflow)
    if traces.is_empty():
        of = f" of {workflow!r}" if workflow else ""
        wanted = "send some with `trimtab send`, or look further back with `--since 1d`"
        say(f"no trace{of} in the last {since}; {wanted}")
        raise typer.Exit(1)
    limits = Limits(model_call_s=model_call_s, tool_call_s=tool_call_s, min_calls=min_calls)
    found = diagnosis_of(traces, limits)
    if as_json:
        show_json({"since_s": since_s, "limits": asdict(limits), **asdict(found)})
        return
    _show(found, since)


def _seconds_of(since: str) -> float:
    try:
        return seconds_of(since)
    except ConfigError as error:
        why = f"--since is {since!r}; write a number and s, m, h or d, such as 1h"
        raise ConfigError(why) from error


def _show(found: Diagnosis, since: str) -> None:
    show_table(f"the last {since}", WORKFLOW, [_workflow(one) for one in found.workflows])
    for one in found.workflows:
        nodes = [node for node in found.nodes if node.workflow == one.workflow]
        show_table(one.workflow, NODE, [_node(node) for node in nodes])
    if not found.recommendations:
        show("nothing is beyond its limit")
    for number, recommendation in enumerate(found.recommendations, 1):
        show(f"{number}. {_told(recommendation)}")


def _workflow(one: WorkflowFigures) -> list[str]:
    return [
        one.workflow,
        f"{one.requests:,}",
        f"{one.p50_s:.3f} s",
        f"{one.p95_s:.3f} s",
        _share(one.model_share),
        _share(one.elsewhere_share),
        f"{one.steps_p95:.0f}",
        _count(one.tokens_p95),
        _usd(one.cost_usd),
        _share(one.failed_share),
        ", ".join(f"{name} {spent}" for name, spent in one.over_budget.items()) or "-",
    ]


def _node(one: NodeFigures) -> list[str]:
    return [
        one.node,
        one.kind,
        _share(one.critical_share),
        f"{one.p50_s:.3f} s",
        f"{one.p95_s:.3f} s",
        f"{one.calls_per_request:.2f}",
        _count(one.input_tokens),
        _count(one.output_tokens),
        _usd(one.cost_usd),
        _share(one.failed_share),
        _share(one.cache_hit_share),
    ]


def _told(one: Recommendation) -> str:
    where = f"{one.workflow}, {one.node}" if one.node else one.workflow
    figure, limit = _figure(one, one.figure), _figure(one, one.limit)
    turn = f"\n   turn {', '.join(one.parameters)}" if one.parameters else ""
    worst = f"\n   see {', '.join(one.trace_ids)}" if one.trace_ids else ""
    return f"{where}: {WORDS[one.finding]} {figure}, limit {limit}; {one.advice}{turn}{worst}"


def _figure(one: Recommendation, figure: float) -> str:
    match one.finding:
        case "slow_model" | "slow_tool":
            return f"{figure:.2f} s"
        case "many_steps" | "many_tokens":
            return f"{figure:,.0f}"
        case "model_bound" | "failing" | "cold_cache" | "over_budget":
            return _share(figure)


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.1f} %"


def _count(count: float | None) -> str:
    return "-" if count is None else f"{count:,.0f}"


def _usd(cost_usd: float | None) -> str:
    return "-" if cost_usd is None else f"{cost_usd:.4f} USD"
