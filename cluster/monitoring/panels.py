"""Grafana's panels, laid out in rows."""

from collections.abc import Sequence
from typing import Any, NamedTuple

WIDTH = 24
HEIGHT = 8
SOURCE = {"type": "prometheus", "uid": "${source}"}

Json = dict[str, Any]


class Line(NamedTuple):
    """One query of a panel, and what its lines are called."""

    expr: str
    legend: str = ""


class Panel(NamedTuple):
    """One diagram."""

    title: str
    lines: Sequence[Line]
    unit: str = "short"
    """Grafana's name: short, reqps, s, percentunit, currencyUSD, bytes."""
    told: str = ""
    stacked: bool = False


class Row(NamedTuple):
    """Panels side by side under a head."""

    title: str
    panels: Sequence[Panel]


def laid_out(rows: Sequence[Row]) -> list[Json]:
    """The panels with their places and numbers."""
    made: list[Json] = []
    top = 0
    for row in rows:
        place = {"x": 0, "y": top, "w": WIDTH, "h": 1}
        made.append(
            {"id": len(made) + 1, "type": "row", "title": row.title, "gridPos": place, "panels": []}
        )
        top += 1
        width = WIDTH // len(row.panels)
        for number, panel in enumerate(row.panels):
            place = {"x": number * width, "y": top, "w": width, "h": HEIGHT}
            made.append({"id": len(made) + 1, "gridPos": place, **_panel(panel)})
        top += HEIGHT
    return made


def _panel(panel: Panel) -> Json:
    custom: Json = {"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
    if panel.stacked:
        custom |= {"stacking": {"mode": "normal", "group": "A"}, "fillOpacity": 40}
    return {
        "type": "timeseries",
        "title": panel.title,
        "description": panel.told,
        "datasource": SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": SOURCE,
                "expr": line.expr,
                "legendFormat": line.legend or "__auto",
            }
            for number, line in enumerate(panel.lines)
        ],
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": custom}, "overrides": []},
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
    }
