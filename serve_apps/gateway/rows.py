"""What the gateway writes of each request."""

from serve_apps.gateway.call import Json
from serve_apps.gateway.protocol import json_bytes
from serve_apps.gateway.traffic import Route


def exposure_row(trace_id: str, route: Route, at: float) -> Json:
    """Who is served what from now on, before anything is paid for."""
    return {
        "trace_id": trace_id,
        "at": at,
        "workflow": route.workflow,
        "unit_id": route.conversation.unit_id,
        "conversation_id": route.conversation.unit_id,
        "epoch": route.conversation.epoch,
        "version": route.conversation.version,
        "bucket": route.bucket,
        "variant": route.variant,
        "served": route.served,
        "window": route.window,
        "lapsed": route.lapsed,
        "forced": route.forced,
    }


def trace_row(
    trace_id: str, route: Route, at: float, duration_s: float, overhead_s: float, answer: Json
) -> Json:
    """What a request came to."""
    kept = ("status", "error", "model", "input_tokens", "output_tokens", "cost_usd")
    return {
        "trace_id": trace_id,
        "at": at,
        "workflow": route.workflow,
        "variant": route.variant,
        "duration_s": duration_s,
        "overhead_s": overhead_s,
        **{name: answer[name] for name in kept},
        "cache_hit": answer["cache_hit"],
        "spans": json_bytes(answer["spans"]).decode(),
    }


def kept_text(text: str) -> str:
    """A model's text as the store can keep it: half a character becomes a question mark."""
    return text.encode(errors="replace").decode()
