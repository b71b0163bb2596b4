"""Requests as the gateway writes them down."""

from typing import Any

NOON = 1_700_049_600.0
TRACE_ID = "4f2a9c1e8b7d4f2a9c1e8b7d4f2a9c1e.0123456789abcdef"


def row(**changes: Any) -> dict[str, Any]:
    usual = {
        "trace_id": TRACE_ID,
        "at": NOON,
        "workflow": "docs-qa",
        "variant": "0123456789ab",
        "duration_s": 1.25,
        "overhead_s": 0.05,
        "status": "ok",
        "error": "",
        "segment": "definition",
        "model": "small",
        "input_tokens": 100,
        "output_tokens": 20,
        "cost_usd": 0.002,
        "cache_hit": False,
    }
    return usual | changes


def span(node: str, start_s: float = 0.0, duration_s: float = 0.1, **more: Any) -> dict[str, Any]:
    usual = {
        "node": node,
        "start_s": start_s,
        "duration_s": duration_s,
        "status": "ok",
        "error": "",
    }
    return usual | more


SPANS = (
    span("qa_agent", 0.0, 1.1, kind="agent", steps=3, outcome="done"),
    span("retrieve", 0.0, 0.1, cache_hit=True, found=4),
    span("qa_agent", 0.1, 0.0, kind="cache", cache_hit=False),
    span(
        "qa_agent",
        0.1,
        0.4,
        kind="llm",
        model="big",
        attempt=1,
        status="error",
        error="rate_limited",
    ),
    span(
        "qa_agent",
        0.5,
        0.4,
        kind="llm",
        model="small",
        attempt=2,
        action="faster_model",
        first_text_s=0.1,
        input_tokens=100,
        output_tokens=20,
        cost_usd=0.002,
    ),
    span("calculator", 0.9, 0.05, kind="tool", cache_hit=False),
    span("qa_agent", 0.95, 0.0, kind="cache", cache="exact", cache_hit=True),
)
"""One request that took every kind of step."""
