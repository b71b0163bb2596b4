"""The files that Prometheus and Grafana read."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from cluster.monitoring.alerts import rules
from cluster.monitoring.dashboards import dashboards
from cluster.monitoring.limits import Limits

WRITTEN = "# Written by `trimtab monitoring`; change what it is made of instead.\n"
SCRAPE = "5s"
TARGETS = "targets.json"
USUAL = "127.0.0.1:8080"
"""Where Ray tells a node's metrics when nobody chose a port."""


def files(limits: Limits, targets: Sequence[str] = (USUAL,)) -> dict[str, str]:
    """Every file's text by its name."""
    made = {
        "alerts.yaml": _yaml(rules(limits)),
        "prometheus.yaml": _yaml(_prometheus()),
        TARGETS: _json([{"targets": list(targets), "labels": {"service": "trimtab"}}]),
        "grafana/provisioning/datasources/trimtab.yaml": _yaml(_sources()),
        "grafana/provisioning/dashboards/trimtab.yaml": _yaml(_folders()),
    }
    boards = {f"grafana/dashboards/{name}.json": _json(one) for name, one in dashboards().items()}
    return made | boards


def write(folder: Path, limits: Limits, targets: Sequence[str] = (USUAL,)) -> list[Path]:
    """Write every file below this folder."""
    written = []
    for name, text in files(limits, targets).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def _prometheus() -> dict[str, Any]:
    return {
        "global": {"scrape_interval": SCRAPE, "evaluation_interval": SCRAPE},
        "rule_files": ["alerts.yaml"],
        "scrape_configs": [{"job_name": "trimtab", "file_sd_configs": [{"files": [TARGETS]}]}],
    }


def _sources() -> dict[str, Any]:
    source = {"name": "Trimtab", "type": "prometheus", "access": "proxy", "isDefault": True}
    return {"apiVersion": 1, "datasources": [source | {"url": "http://127.0.0.1:9090"}]}


def _folders() -> dict[str, Any]:
    path = {"path": "${TRIMTAB_MONITORING}/grafana/dashboards"}
    return {"apiVersion": 1, "providers": [{"name": "trimtab", "type": "file", "options": path}]}


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def _yaml(value: Any) -> str:
    writer = YAML()
    writer.width = 1_000
    writer.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    writer.dump(value, text)
    return WRITTEN + text.getvalue()
