"""What a slot answers: always the same keys, whether it succeeded or not."""

from typing import Any


def unanswered(status: str = "ok", error: str = "", message: str = "") -> dict[str, Any]:
    """An answer before anything is known of it; `status` is ok, error or timeout."""
    return {
        "status": status,
        "error": error,
        "message": message,
        "text": "",
        "output": None,
        "model": "",
        "input_tokens": 0,
        "output_tokens": 0,
        "cost_usd": 0.0,
        "cache_hit": False,
        "degraded": (),
        "questions": [],
        "tool_calls": [],
        "spans": [],
        "work_s": 0.0,
    }
