"""The dashboards: requests, experiments, processes."""

from collections.abc import Sequence
from typing import Any

from cluster.monitoring.expressions import (
    chosen,
    failing,
    now,
    observed,
    quantile,
    rate,
    share_of,
)
from cluster.monitoring.panels import SOURCE, Line, Panel, Row, laid_out
from serve_apps.telemetry import table
from serve_apps.telemetry.table import Metric

RAYS_OWN = ("ray_node_gpus_utilization", "ray_node_gram_used")
"""What Ray measures of each node itself, and we show beside ours."""


def dashboards() -> dict[str, dict[str, Any]]:
    """Each dashboard by the name of its file."""
    return {
        "trimtab-requests": _dashboard("requests", "Trimtab: requests", _requests()),
        "trimtab-experiments": _dashboard("experiments", "Trimtab: experiments", _experiments()),
        "trimtab-processes": _dashboard("processes", "Trimtab: processes", _processes()),
    }


def _requests() -> Sequence[Row]:
    return (
        Row(
            "What users get",
            (
                Panel(
                    "Requests", [_rate(table.REQUESTS, "workflow status")], "reqps", stacked=True
                ),
                Panel(
                    "Failing",
                    [Line(failing(where=_CHOSEN), "{{workflow}}")],
                    "percentunit",
                    "Errors and timeouts, as a part of all requests.",
                ),
                Panel("Latency", _quantiles(table.REQUEST_SECONDS, "workflow"), "s"),
                Panel("Errors by class", [_rate(table.ERRORS, "error")], "reqps"),
            ),
        ),
        Row(
            "Steps",
            (
                Panel("Steps, p50", [_quantile(table.NODE_SECONDS, 0.5, "node kind")], "s"),
                Panel("Steps, p95", [_quantile(table.NODE_SECONDS, 0.95, "node kind")], "s"),
                Panel("Steps, p99", [_quantile(table.NODE_SECONDS, 0.99, "node kind")], "s"),
                Panel("Failing steps", [_rate(table.NODE_ERRORS, "node error")], "reqps"),
            ),
        ),
        Row(
            "Models",
            (
                Panel("Calls", [_rate(table.MODEL_CALLS, "model status")], "reqps", stacked=True),
                Panel(
                    "Retries and stand-ins",
                    [
                        Line(
                            rate(table.MODEL_CALLS, "model", where=f'{_CHOSEN}, attempt="more"'),
                            "{{model}}",
                        ),
                        _rate(table.STAND_INS, "action"),
                    ],
                    "reqps",
                ),
                Panel("First text, p95", [_quantile(table.FIRST_TEXT, 0.95, "model")], "s"),
                Panel("Iterations, p95", [_quantile(table.ITERATIONS, 0.95, "node")]),
            ),
        ),
        Row(
            "Tools and caches",
            (
                Panel(
                    "Calls of tools",
                    [Line(observed(table.NODE_SECONDS, "node", where=_TOOLS), "{{node}}")],
                    "reqps",
                ),
                Panel(
                    "Tools, p95",
                    [Line(quantile(table.NODE_SECONDS, 0.95, "node", where=_TOOLS), "{{node}}")],
                    "s",
                ),
                Panel("Look-ups in caches", [_rate(table.CACHE_LOOKUPS, "cache")], "reqps"),
                Panel("Requests by segment", [_rate(table.SEGMENTS, "segment")], "reqps"),
            ),
        ),
        Row(
            "Money",
            (
                Panel("Tokens", [_rate(table.TOKENS, "workflow direction")], stacked=True),
                Panel(
                    "Cost an hour",
                    [Line(f"{_rate(table.COST, 'workflow').expr} * 3600", "{{workflow}}")],
                    "currencyUSD",
                ),
                Panel(
                    "Cost a request",
                    [
                        Line(
                            share_of(
                                _rate(table.COST, "workflow variant").expr,
                                _rate(table.REQUESTS, "workflow variant").expr,
                            ),
                            "{{workflow}} {{variant}}",
                        )
                    ],
                    "currencyUSD",
                ),
                Panel(
                    "Served by a cache",
                    [
                        Line(
                            share_of(
                                _rate(table.CACHED, "workflow").expr,
                                _rate(table.REQUESTS, "workflow").expr,
                            ),
                            "{{workflow}}",
                        )
                    ],
                    "percentunit",
                ),
            ),
        ),
    )


def _experiments() -> Sequence[Row]:
    by = "workflow variant"
    return (
        Row(
            "Traffic",
            (
                Panel("Shares", [_now(table.SHARE, f"{by} role")], "percentunit", stacked=True),
                Panel("Requests by variant", [_rate(table.REQUESTS, by)], "reqps", stacked=True),
                Panel("Open windows", [_now(table.WINDOWS, "workflow kind")]),
            ),
        ),
        Row(
            "Evidence",
            (
                Panel("Log e-value: better", [_now(table.EVIDENCE, by)]),
                Panel("Log e-value: worse", [_now(table.HARM, by)]),
                Panel("Lift", [_now(table.LIFT, by)], "percentunit"),
                Panel("Sample-ratio mismatch", [_now(table.MISMATCH, by)]),
            ),
        ),
        Row(
            "Variants side by side",
            (
                Panel("Failing", [Line(failing(by, where=_CHOSEN), "{{variant}}")], "percentunit"),
                Panel("Latency, p95", [_quantile(table.REQUEST_SECONDS, 0.95, by)], "s"),
                Panel("Verdicts", [_rate(table.VERDICTS, "action cause")], "reqps"),
            ),
        ),
        Row(
            "Trouble",
            (
                Panel("Out of traffic", [_now(table.EJECTED, by)]),
                Panel("Ejections", [_rate(table.EJECTIONS, by)], "reqps"),
                Panel("Could not be built", [_now(table.UNSEATED, "workflow")]),
            ),
        ),
    )


def _processes() -> Sequence[Row]:
    gpu, memory = RAYS_OWN
    return (
        Row(
            "Gateways",
            (
                Panel("Under way", [_now(table.UNDER_WAY, "", "sum")]),
                Panel("Waiting", [_now(table.QUEUE, "", "sum")]),
                Panel("Refused", [_rate(table.REFUSED, "workflow reason")], "reqps"),
                Panel("Added by the platform", _quantiles(table.OVERHEAD_SECONDS, "workflow"), "s"),
            ),
        ),
        Row(
            "Tasks",
            (
                Panel("Tasks", [_now(table.TASKS, "state")], stacked=True),
                Panel("Oldest waiting task", [_now(table.TASK_WAIT, "")], "s"),
                Panel("Tasks that ended", [_rate(table.TASKS_ENDED, "outcome")], "reqps"),
            ),
        ),
        Row(
            "Facts",
            (
                Panel("Rows that wait in spools", [_now(table.SPOOL_BACKLOG, "")]),
                Panel("Lost traces", [_rate(table.LOST_TRACES, "")], "reqps"),
                Panel("Feedback", [_rate(table.FEEDBACK, "outcome")], "reqps"),
                Panel("Spans not sent", [_rate(table.OTLP_DROPPED, "")], "reqps"),
            ),
        ),
        Row(
            "Use of the machine",
            (
                Panel("CPU", [_now(table.CPU, "process", "sum")], "percent", stacked=True),
                Panel("Memory", [_now(table.MEMORY, "process", "sum")], "bytes", stacked=True),
                Panel("Open files", [_now(table.FILES, "process")]),
                Panel("GPU", [Line(gpu, "{{ip}} use"), Line(memory, "{{ip}} memory, MB")]),
            ),
        ),
        Row(
            "Control",
            (
                Panel("Control actor last heard of", [_now(table.SNAPSHOT_AGE, "")], "s"),
                Panel("Open breakers", [_now(table.BREAKERS, "workflow", "sum")]),
            ),
        ),
    )


_CHOSEN = chosen(table.REQUESTS)
_TOOLS = f'{_CHOSEN}, kind="tool"'


def _rate(metric: Metric, by: str) -> Line:
    return Line(rate(metric, by, where=chosen(metric)), _legend(by))


def _now(metric: Metric, by: str, how: str = "max") -> Line:
    return Line(now(metric, by, how=how, where=chosen(metric)), _legend(by))


def _quantile(metric: Metric, q: float, by: str) -> Line:
    return Line(quantile(metric, q, by, where=chosen(metric)), _legend(by))


def _quantiles(metric: Metric, by: str) -> list[Line]:
    return [
        Line(quantile(metric, q, by, where=chosen(metric)), f"{_legend(by)} p{round(q * 100)}")
        for q in (0.5, 0.95, 0.99)
    ]


def _legend(by: str) -> str:
    return " ".join(f"{{{{{label}}}}}" for label in by.split())


def _dashboard(uid: str, title: str, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "uid": f"trimtab-{uid}",
        "title": title,
        "tags": ["trimtab"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_sources(), _workflows()]},
        "annotations": {"list": []},
        "links": [
            {"title": "Trimtab", "type": "dashboards", "tags": ["trimtab"], "asDropdown": True}
        ],
        "panels": laid_out(rows),
    }


def _sources() -> dict[str, Any]:
    return {"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus"}


def _workflows() -> dict[str, Any]:
    return {
        "name": "workflow",
        "type": "query",
        "datasource": SOURCE,
        "query": f"label_values({table.REQUESTS.exported}, workflow)",
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",
        "multi": True,
        "current": {"text": "All", "value": "$__all"},
    }
