"""When somebody is called: Prometheus's alerting rules."""

from typing import Any

from cluster.monitoring.expressions import failing, happened, now, quantile, rate
from cluster.monitoring.limits import Limits
from serve_apps.telemetry import table

Rule = dict[str, Any]


def rules(limits: Limits) -> dict[str, Any]:
    """The file of rules, as Prometheus reads it."""
    groups = {
        "requests": _requests(limits),
        "experiments": _experiments(),
        "durability": _durability(limits),
        "capacity": _capacity(limits),
    }
    return {"groups": [{"name": f"trimtab-{name}", "rules": made} for name, made in groups.items()]}


def _requests(limits: Limits) -> list[Rule]:
    return [
        _rule(
            "RequestsFail",
            f"{failing(over='5m')} > {limits.error_share}",
            "5m",
            "critical",
            "{{ $labels.workflow }}: {{ $value | humanizePercentage }} of the requests fail",
        ),
        _rule(
            "RequestsSlow",
            f"{quantile(table.REQUEST_SECONDS, 0.99, 'workflow', over='5m')} > {limits.p99_s}",
            "5m",
            "warning",
            "{{ $labels.workflow }}: one in a hundred takes over {{ $value | humanizeDuration }}",
        ),
        _rule(
            "NoTraffic",
            f"{rate(table.REQUESTS, 'workflow', over='10m')} == 0",
            "10m",
            "warning",
            "{{ $labels.workflow }} was asked nothing for 20 minutes",
        ),
        _rule(
            "NothingAnswers",
            f"absent({now(table.MEMORY, where=_IS_GATEWAY)})",
            "2m",
            "critical",
            "no gateway tells its metrics",
        ),
        _rule(
            "BreakersOpen",
            f"{now(table.BREAKERS, 'workflow')} > 0",
            "5m",
            "warning",
            "{{ $labels.workflow }}: {{ $value }} models or tools are not called for now",
        ),
    ]


_IS_GATEWAY = 'process="gateway"'


def _experiments() -> list[Rule]:
    return [
        _rule(
            "SampleRatioMismatch",
            f"{happened(table.VERDICTS, 'workflow', where=_IS_SRM)} > 0",
            "0m",
            "critical",
            "{{ $labels.workflow }}: variants get other shares than were drawn; trust no result",
        ),
        _rule(
            "VariantEjected",
            f"{now(table.EJECTED, 'workflow variant', how='max')} > 0"
            f" or {happened(table.EJECTIONS, 'workflow variant')} > 0",
            "0m",
            "warning",
            "{{ $labels.workflow }}: {{ $labels.variant }} was taken out of traffic",
        ),
        _rule(
            "RolledBack",
            f"{happened(table.VERDICTS, 'workflow', where=_IS_ROLLBACK)} > 0",
            "0m",
            "warning",
            "{{ $labels.workflow }} was rolled back",
        ),
        _rule(
            "VariantNotSeated",
            f"{now(table.UNSEATED, 'workflow', how='max')} > 0",
            "5m",
            "warning",
            "{{ $labels.workflow }}: {{ $value }} variants can't be built; `trimtab status`",
        ),
    ]


_IS_SRM = 'cause="srm"'
_IS_ROLLBACK = 'action="rollback"'


def _durability(limits: Limits) -> list[Rule]:
    return [
        _rule(
            "TracesLost",
            f"{happened(table.LOST_TRACES)} > 0",
            "0m",
            "critical",
            "{{ $value }} traces could not be made durable; look at the disk",
        ),
        _rule(
            "SpoolBacklog",
            f"{now(table.SPOOL_BACKLOG, how='max')} > {limits.backlog_rows}",
            "5m",
            "warning",
            "{{ $value }} facts wait for the compactor; verdicts lag behind",
        ),
        _rule(
            "ControlAway",
            f"{now(table.SNAPSHOT_AGE, how='max')} > {limits.control_away_s}",
            "1m",
            "critical",
            "gateways serve by a snapshot of {{ $value | humanizeDuration }} ago",
        ),
    ]


def _capacity(limits: Limits) -> list[Rule]:
    return [
        _rule(
            "QueueLong",
            f"{now(table.QUEUE, how='max')} > {limits.queue}",
            "2m",
            "warning",
            "{{ $value }} requests wait in one gateway",
        ),
        _rule(
            "TasksWait",
            f"{now(table.TASK_WAIT, how='max')} > {limits.task_wait_s}",
            "2m",
            "warning",
            "a task has waited for {{ $value | humanizeDuration }}; `deploy.tasks` sets the pace",
        ),
        _rule(
            "BudgetSpent",
            f"{rate(table.COST, over='1h')} * 3600 > {limits.usd_per_hour}",
            "5m",
            "warning",
            "models were paid ${{ $value }} in the last hour",
        ),
        _rule(
            "RequestsRefused",
            f"{rate(table.REFUSED, 'workflow reason', over='5m')} > 1",
            "5m",
            "warning",
            "{{ $labels.workflow }} refuses requests: {{ $labels.reason }}",
        ),
        _rule(
            "SpansDropped",
            f"{happened(table.OTLP_DROPPED)} > 0",
            "5m",
            "info",
            "{{ $value }} requests were not told to the collector",
        ),
    ]


def _rule(name: str, expr: str, for_: str, severity: str, summary: str) -> Rule:
    return {
        "alert": f"Trimtab{name}",
        "expr": expr,
        "for": for_,
        "labels": {"severity": severity},
        "annotations": {"summary": summary},
    }
