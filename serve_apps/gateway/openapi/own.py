"""The shapes of runs, tasks, feedback and errors."""

from typing import get_args

from engine.books.feedback import Outcome
from engine.config.metric import VERSIONED
from engine.config.tasks import TaskSettings
from serve_apps.gateway.openapi.openai import CONVERSATION_ID
from serve_apps.gateway.openapi.parts import ref
from serve_apps.gateway.openapi.schema import (
    ANYTHING,
    NUMBER,
    SECONDS,
    TEXT,
    WHOLE,
    Json,
    always,
    closed,
    event,
    list_of,
    maybe,
    said,
    sometimes,
    written,
)
from serve_apps.gateway.protocol import DECISIONS
from serve_apps.tasks.desk import LONGEST_KEY, STATES

QUESTION = always(
    id=TEXT,
    run_id=TEXT,
    path=TEXT | {"description": "The step that asks."},
    ask=TEXT,
    options=list_of(said(*DECISIONS)),
    asked_at=SECONDS,
)
NAMED = {"trace_id": TEXT, "conversation_id": TEXT, "variant": TEXT, "segment": TEXT}
ASKED: dict[str, Json] = {
    "input": {
        "oneOf": [TEXT, {"type": "object"}],
        "description": "The question, or the workflow's inputs by name.",
    },
    "messages": ref("Messages"),
    "conversation_id": CONVERSATION_ID,
}
EITHER: Json = {"oneOf": [{"required": ["input"]}, {"required": ["messages"]}]}

RUNS: dict[str, Json] = {
    "RunRequest": sometimes([], **ASKED, stream=maybe({"type": "boolean"})) | EITHER,
    "Run": sometimes(
        ["status", "output", "degraded"],
        status=said("done"),
        output=ANYTHING | {"description": "As the workflow gives it."},
        degraded=list_of(TEXT),
        **NAMED,
    ),
    "Waiting": sometimes(
        ["status", "questions"], status=said("waiting"), questions=list_of(QUESTION), **NAMED
    ),
    "RunEvent": event(
        "First `plan` (the steps), then a `node` for every step that ends and a `chunk` for every "
        "piece of text (`answer` marks the answer's own), at last `done` with what a whole answer "
        "would be, or `error`.",
        written({"type": "object"}),
        event=said("plan", "node", "chunk", "done", "error"),
    ),
    "Questions": always(questions=list_of(QUESTION)),
    "Decision": sometimes(
        ["decision", "reason"],
        decision=said(*DECISIONS),
        reason=TEXT,
        answer=TEXT | {"description": "Where the decision is to answer."},
        by=TEXT | {"description": "Who decides."},
    ),
}

TASKS: dict[str, Json] = {
    "TaskRequest": closed(
        sometimes(
            ["workflow"],
            workflow=TEXT,
            **ASKED,
            idempotency_key=maybe(TEXT) | {"minLength": 1, "maxLength": LONGEST_KEY},
            timeout_s=NUMBER
            | {
                "exclusiveMinimum": 0,
                "maximum": TaskSettings().timeout_s,
                "description": "From now until its end.",
            },
        )
    )
    | EITHER,
    "Task": closed(
        sometimes(
            ["id", "status"],
            id=TEXT,
            workflow=TEXT,
            status=said(*STATES),
            submitted_at=SECONDS,
            started_at=maybe(SECONDS),
            ended_at=maybe(SECONDS),
            deadline_at=SECONDS,
            attempts=WHOLE,
            reason=TEXT,
        )
    ),
    "Tasks": always(tasks=list_of(ref("Task"))),
    "TaskResult": {"allOf": [ref("Run"), sometimes(["id"], id=TEXT)]},
    "TaskOpen": {
        "oneOf": [ref("Task"), {"allOf": [ref("Waiting"), sometimes(["id"], id=TEXT)]}],
        "description": "How an open task stands, or what one waits for a person to say.",
    },
}

FED_BACK: Json = always(status=said(*get_args(Outcome)), feedback_id=TEXT)
FEEDBACK: dict[str, Json] = {
    "FeedbackRequest": {
        "oneOf": [
            closed(
                sometimes(
                    ["trace_id", "score"],
                    trace_id=TEXT,
                    score=NUMBER | {"minimum": 0, "maximum": 1},
                    metric=TEXT | {"minLength": 1, "pattern": f"^[^{VERSIONED}]+$"},
                    idempotency_key=maybe(TEXT) | {"minLength": 1, "maxLength": LONGEST_KEY},
                )
            ),
            always(items=list_of(ANYTHING, description="Each as one alone, answered by itself.")),
        ]
    },
    "FedBack": {
        "oneOf": [
            FED_BACK,
            always(
                items=list_of({"oneOf": [FED_BACK, always(status=said("refused"), message=TEXT)]})
            ),
        ]
    },
}

OTHER: dict[str, Json] = {
    "Error": sometimes(
        ["error"],
        error=always(message=TEXT, type=TEXT, code=TEXT, param={"type": "null"}),
        id=TEXT | {"description": "The task, where this is its result."},
    ),
    "Health": sometimes(
        ["status"],
        status=said("ok", "starting"),
        revision=WHOLE | {"description": "Grows with every change of the traffic."},
        reason=TEXT,
    ),
    "Document": {"type": "object", "description": "This document."},
}
