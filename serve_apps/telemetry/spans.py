"""What one span adds to the metrics."""

from collections.abc import Iterator, Mapping
from typing import Any

from serve_apps.telemetry import table
from serve_apps.telemetry.table import Metric

Mark = tuple[Metric, tuple[str, ...], float]
"""A metric, its labels after the workflow, and what is added."""

STEP = "step"
"""The kind of a span that names none."""


def span_marks(span: Mapping[str, Any]) -> Iterator[Mark]:
    """What is counted of a span; a figure that it lacks is not counted."""
    node, kind, took = span["node"], span.get("kind", STEP), span["duration_s"]
    yield table.NODE_SECONDS, (node, kind), took
    if span["error"]:
        yield table.NODE_ERRORS, (node, span["error"]), 1
    if kind == "llm":
        yield from _model_marks(span)
    elif kind == "cache":
        yield table.CACHE_LOOKUPS, (span.get("cache", "none"),), 1
    elif kind == "agent" and span.get("steps") is not None:
        yield table.ITERATIONS, (node,), span["steps"]


def _model_marks(span: Mapping[str, Any]) -> Iterator[Mark]:
    model = span.get("model") or "unknown"
    attempt = "more" if span.get("attempt", 1) > 1 else "first"
    yield table.MODEL_CALLS, (model, span["status"], attempt), 1
    if span.get("first_text_s") is not None:
        yield table.FIRST_TEXT, (model,), span["first_text_s"]
    if "action" in span:
        yield table.STAND_INS, (span["action"],), 1
