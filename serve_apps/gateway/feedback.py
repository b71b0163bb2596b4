"""What a client may say about an answer, checked before it is made durable."""

import hashlib
import json

from engine.books.secret import verified
from engine.errors import ConfigError, NotFoundError
from serve_apps.gateway.protocol import Json

KEYS = {"trace_id", "score", "metric", "idempotency_key"}


def feedback_row(body: Json, secret: bytes, at: float) -> Json:
    """One item of feedback as a row; without a key, the same body is the same feedback.

    Raises:
        ConfigError: A key is unknown, or the score is no number in [0, 1].
        NotFoundError: The trace id was not given out by this workspace.
    """
    unknown = sorted(set(body) - KEYS)
    if unknown:
        raise ConfigError(f"unknown key {unknown[0]!r}; feedback holds {', '.join(sorted(KEYS))}")
    trace_id, score = body.get("trace_id"), body.get("score")
    metric = body.get("metric", "quality")
    if not isinstance(trace_id, str) or verified(secret, trace_id) is None:
        raise NotFoundError(f"trace id {trace_id!r} was never given out here")
    # NaN compares false; a boolean is an int to Python, but not to the client who wrote it.
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0.0 <= score <= 1.0:
        raise ConfigError(f"`score` is {score!r}; it must be a number from 0 to 1")
    if not isinstance(metric, str) or not metric:
        raise ConfigError(f"`metric` is {metric!r}; it must be a name")
    key = body.get("idempotency_key")
    if key is None:
        same = json.dumps([trace_id, metric, float(score)])
        key = "auto-" + hashlib.sha256(same.encode()).hexdigest()[:24]
    if not isinstance(key, str) or not 0 < len(key) <= 200:
        raise ConfigError("`idempotency_key` must be text of 1 to 200 characters")
    return {
        "key": key,
        "at": at,
        "trace_id": trace_id,
        "metric": metric,
        "score": float(score),
    }
