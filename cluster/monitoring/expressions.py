"""Queries in Prometheus's language over the metrics of the table."""

from serve_apps.telemetry import table
from serve_apps.telemetry.table import Metric

EACH = "$__rate_interval"
"""Grafana's own choice of a span, by the width of the panel."""
CHOSEN = 'workflow=~"$workflow"'
"""The workflows that the person at the dashboard has chosen."""


def chosen(metric: Metric) -> str:
    """What a dashboard asks of a metric: the chosen workflows, where it tells them apart."""
    return CHOSEN if "workflow" in metric.labels else ""


def rate(metric: Metric, by: str = "", *, over: str = EACH, where: str = "") -> str:
    """Events a second, by these labels."""
    return _summed(f"rate({metric.exported}{_braced(where)}[{over}])", by)


def observed(metric: Metric, by: str = "", *, over: str = EACH, where: str = "") -> str:
    """How often a second a histogram took a value, by these labels."""
    return _summed(f"rate({metric.exported}_count{_braced(where)}[{over}])", by)


def now(metric: Metric, by: str = "", *, how: str = "sum", where: str = "") -> str:
    """A gauge's present value over all processes."""
    return _summed(f"{metric.exported}{_braced(where)}", by, how)


def quantile(metric: Metric, q: float, by: str = "", *, over: str = EACH, where: str = "") -> str:
    """A quantile of a histogram, by these labels."""
    labels = ", ".join(["le", *by.split()])
    inner = f"rate({metric.exported}_bucket{_braced(where)}[{over}])"
    return f"histogram_quantile({q}, sum by ({labels}) ({inner}))"


def share_of(part: str, whole: str) -> str:
    """One rate as a part of another; nothing where there is nothing."""
    return f"{part} / ({whole} > 0)"


def happened(metric: Metric, by: str = "", *, over: str = "15m", where: str = "") -> str:
    """How often something rare happened; its first time counts, which `increase` overlooks."""
    series = f"{metric.exported}{_braced(where)}"
    return _summed(f"({series} unless {series} offset {over}) or increase({series}[{over}])", by)


def failing(by: str = "workflow", *, over: str = EACH, where: str = "") -> str:
    """The part of requests that failed, ran out of time included."""
    failed = ", ".join(filter(None, [where, 'status!="ok"']))
    return share_of(
        rate(table.REQUESTS, by, over=over, where=failed),
        rate(table.REQUESTS, by, over=over, where=where),
    )


def _summed(inner: str, by: str, how: str = "sum") -> str:
    labels = ", ".join(by.split())
    return f"{how} by ({labels}) ({inner})" if labels else f"{how}({inner})"


def _braced(where: str) -> str:
    return f"{{{where}}}" if where else ""
