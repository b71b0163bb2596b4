"""What a client may say about an answer, checked and made durable."""

import hashlib
import json
import time
from collections.abc import Callable, Sequence

from engine.books.secret import verified
from engine.config.metric import VERSIONED
from engine.errors import ConfigError, NotFoundError, TrimtabError
from serve_apps.gateway.call import Json
from serve_apps.gateway.protocol import Reply, error_reply, json_reply
from serve_apps.recorder import Recorder

KEYS = {"trace_id", "score", "metric", "idempotency_key"}


def feedback_row(body: Json, secret: bytes, at: float) -> Json:
    """One item of feedback as a row; without a key, the same body is the same feedback.

    Raises:
        ConfigError: A key is unknown, the score is no number in [0, 1], or the metric is not one
            that users score.
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
    if VERSIONED in metric:
        why = f"names with {VERSIONED!r} are the evaluators' own; write one without it"
        raise ConfigError(f"`metric` is {metric!r}; {why}")
    key = body.get("idempotency_key")
    if key is None:
        same = json.dumps([trace_id, metric, float(score)])
        key = "auto-" + hashlib.sha256(same.encode()).hexdigest()[:24]
    if not isinstance(key, str) or not 0 < len(key) <= 200:
        raise ConfigError("`idempotency_key` must be text of 1 to 200 characters")
    if VERSIONED in key and verified(secret, key.rpartition(":")[2]) is not None:
        why = "an evaluator's name and a trace id are its own key; write another"
        raise ConfigError(f"`idempotency_key` is {key!r}; {why}")
    return {
        "key": key,
        "at": at,
        "trace_id": trace_id,
        "metric": metric,
        "score": float(score),
    }


class FeedbackDesk:
    """Stores feedback, one item or a batch, and tells what became of each item."""

    def __init__(self, recorder: Recorder, secret: bytes, told: Callable[[str], None]) -> None:
        self._recorder = recorder
        self._secret = secret
        self._told = told

    async def taken(self, said: Json) -> Reply:
        """Store what was said; each item of a batch has an answer of its own.

        Raises:
            ConfigError, NotFoundError: The one item can't be taken.
            StoreFullError: It can't be made durable now.
        """
        at = time.time()
        if "items" not in said:
            return await self._one(said, at)
        if not isinstance(said["items"], list):
            raise ConfigError("`items` must be a list of feedback objects")
        return json_reply({"items": await self._each(said["items"], at)})

    async def _one(self, said: Json, at: float) -> Reply:
        try:
            row = feedback_row(said, self._secret, at)
        except TrimtabError:
            self._told("refused")
            raise
        outcome = (await self._recorder.feedback([row]))[0]
        self._told(outcome)
        if outcome == "conflict":
            message = f"idempotency key {row['key']!r} was used before with another body"
            return error_reply(409, "conflict", message)
        return json_reply({"status": outcome, "feedback_id": row["key"]})

    async def _each(self, items: Sequence[object], at: float) -> list[Json]:
        rows: dict[int, Json] = {}
        answers: dict[int, Json] = {}
        for number, item in enumerate(items):
            try:
                if not isinstance(item, dict):
                    raise ConfigError(f"items[{number}] must be an object")
                rows[number] = feedback_row(item, self._secret, at)
            except TrimtabError as error:
                answers[number] = {"status": "refused", "message": str(error)}
        outcomes = await self._recorder.feedback(list(rows.values()))
        for (number, row), outcome in zip(rows.items(), outcomes, strict=True):
            answers[number] = {"status": outcome, "feedback_id": row["key"]}
        for answer in answers.values():
            self._told(answer["status"])
        return [answers[number] for number in range(len(items))]
