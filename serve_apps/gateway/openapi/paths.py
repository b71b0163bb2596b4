"""Every path of the gateway: what it takes, and each answer that it may give."""

from serve_apps.gateway.openapi.parts import (
    KNOWN_BY,
    MEASURED,
    READING,
    RUNNING,
    answer,
    body,
    header,
    in_path,
    in_query,
    refusals,
)
from serve_apps.gateway.openapi.schema import TEXT, Json
from serve_apps.tasks.desk import MOST_LISTED, STATES

CALLER = [header("Conversation"), header("Variant"), header("Traceparent")]
WORKFLOW = in_path("workflow", "The workflow's name.")
TASK = in_path("task", "The id that the task was given.")
ASK = [{"role": "user", "content": "How do I get my money back?"}]
TOOL = {
    "type": "function",
    "function": {"name": "order", "parameters": {"type": "object", "properties": {"id": TEXT}}},
}
STREAMED = (
    "\n\nWhere `stream` is true, the answer comes as server-sent events. While nothing is told for "
    "a while, a comment (`: still here`) keeps the way open."
)
SOCKET = (
    "\n\nThe same over a WebSocket to this path: each message is such a body, answered by "
    '`{"event": ..., "data": ...}` messages of the same kinds, one request after the other.'
)


def operation(tag: str, what: str, answers: Json, **more: object) -> Json:
    """One method of a path; anybody's headers may be too long."""
    lines = what.partition("\n")
    told = {"summary": lines[0]} | ({"description": what} if lines[2] else {})
    return {"tags": [tag], **told, "responses": refusals(431) | answers} | more


def paths() -> Json:
    """The paths with their methods."""
    return _chat() | _runs() | _tasks() | _others()


def _chat() -> Json:
    completed = {
        "200": answer(
            "The answer.", "ChatCompletion", events="ChatEvent", headers=KNOWN_BY | MEASURED
        )
    }
    embedded = {"200": answer("The vectors, in the texts' order.", "Embeddings")}
    return {
        "/v1/chat/completions": {
            "post": operation(
                "OpenAI",
                "Ask a workflow, as OpenAI's clients ask a model." + STREAMED,
                completed | refusals(*READING, *RUNNING),
                operationId="createChatCompletion",
                parameters=CALLER,
                requestBody=body(
                    "ChatCompletionRequest",
                    asked={"model": "support", "messages": ASK},
                    streamed={"model": "support", "messages": ASK, "stream": True},
                    tools={"model": "support", "messages": ASK, "tools": [TOOL]},
                ),
            )
        },
        "/v1/embeddings": {
            "post": operation(
                "OpenAI",
                "Turn texts into vectors.",
                embedded | refusals(*READING, 404),
                operationId="createEmbedding",
                requestBody=body(
                    "EmbeddingsRequest", two={"model": "minilm", "input": ["high", "low"]}
                ),
            )
        },
        "/v1/models": {
            "get": operation(
                "OpenAI",
                "The workflows and embedding models that a request may name.",
                {"200": answer("All of them.", "Models")} | refusals(503),
                operationId="listModels",
            )
        },
        "/v1/models/{model}": {
            "get": operation(
                "OpenAI",
                "One workflow or embedding model.",
                {"200": answer("It is served.", "Model")} | refusals(404, 503),
                operationId="retrieveModel",
                parameters=[in_path("model", "Its name.")],
            )
        },
    }


def _runs() -> Json:
    told = KNOWN_BY | MEASURED
    ran = {
        "200": answer("The answer.", "Run", events="RunEvent", headers=told),
        "202": answer("It waits for a person.", "Waiting", headers=told),
    }
    return {
        "/v1/workflows/{workflow}/run": {
            "post": operation(
                "Workflows",
                "Run a workflow." + STREAMED + SOCKET,
                ran | refusals(*READING, *RUNNING),
                operationId="runWorkflow",
                parameters=[WORKFLOW, *CALLER],
                requestBody=body(
                    "RunRequest",
                    text={"input": "How do I get my money back?"},
                    named={"input": {"question": "Where is it?"}},
                    conversation={"messages": ASK, "conversation_id": "caller-17"},
                ),
            )
        },
        "/v1/workflows/{workflow}/questions": {
            "get": operation(
                "Workflows",
                "What people are waited for to say, oldest first.",
                {"200": answer("The open questions.", "Questions")} | refusals(404, 502, 503),
                operationId="listQuestions",
                parameters=[WORKFLOW],
            )
        },
        "/v1/workflows/{workflow}/questions/{question}": {
            "post": operation(
                "Workflows",
                "Decide, and bring the request that waited for it further.",
                {
                    "200": answer("Its answer.", "Run"),
                    "202": answer("It waits for more.", "Waiting"),
                }
                | refusals(*READING, 404, 502, 503, 504),
                operationId="decide",
                parameters=[WORKFLOW, in_path("question", "The question's id.")],
                requestBody=body(
                    "Decision", yes={"decision": "approve", "reason": "a good customer", "by": "Jo"}
                ),
            )
        },
    }


def _tasks() -> Json:
    gone = {"410": answer("It is not kept any more.", "Task")}
    later = {"retry-after": "When to look again, in seconds."}
    return {
        "/v1/tasks": {
            "post": operation(
                "Tasks",
                "Take a run in, to be done when there is room; the result is kept.",
                {"202": answer("It is on disk.", "Task")} | refusals(*READING, 404, 409, 429, 503),
                operationId="submitTask",
                requestBody=body(
                    "TaskRequest",
                    once={"workflow": "support", "input": "Why?", "idempotency_key": "mail-4711"},
                ),
            ),
            "get": operation(
                "Tasks",
                "The tasks of this API key, the newest first.",
                {"200": answer("As many as were asked for.", "Tasks")} | refusals(400),
                operationId="listTasks",
                parameters=[
                    in_query("workflow", "Only of this workflow.", TEXT),
                    in_query("status", "Only those that stand so.", {"enum": [*STATES]}),
                    in_query(
                        "limit",
                        "How many at most; 100 unless it is said.",
                        {"type": "integer", "minimum": 1, "maximum": MOST_LISTED},
                    ),
                ],
            ),
        },
        "/v1/tasks/{task}": {
            "get": operation(
                "Tasks",
                "How a task stands.",
                {"200": answer("It is known.", "Task")} | gone | refusals(404),
                operationId="getTask",
                parameters=[TASK],
            ),
            "delete": operation(
                "Tasks",
                "Cancel a task; one that has ended stays as it is.",
                {"200": answer("How it stands now.", "Task")} | gone | refusals(404, 503),
                operationId="cancelTask",
                parameters=[TASK],
            ),
        },
        "/v1/tasks/{task}/result": {
            "get": operation(
                "Tasks",
                "What a task was answered, under the status that the run itself would have had.",
                {
                    "200": answer("The answer.", "TaskResult"),
                    "202": answer("It is not there yet.", "TaskOpen", headers=later),
                }
                | refusals(400, 404, 409, 410, 502, 504),
                operationId="getTaskResult",
                parameters=[TASK],
            )
        },
    }


def _others() -> Json:
    health = {
        "200": answer("It serves.", "Health"),
        "503": answer("Not yet.", "Health", headers={"retry-after": "In so many seconds."}),
    }
    return {
        "/v1/feedback": {
            "post": operation(
                "Feedback",
                "Say how good an answer was; the same again is known as a duplicate.",
                {"200": answer("It is on disk.", "FedBack")} | refusals(*READING, 404, 409, 503),
                operationId="giveFeedback",
                requestBody=body(
                    "FeedbackRequest",
                    one={"trace_id": "0c5f.9a1b", "score": 1.0},
                    several={"items": [{"trace_id": "0c5f.9a1b", "score": 0, "metric": "tone"}]},
                ),
            )
        },
        "/healthz": {
            "get": operation("Gateway", "Whether this gateway can serve.", health)
            | {"operationId": "health"}
        },
        "/openapi.json": {
            "get": operation("Gateway", "This document.", {"200": answer("It.", "Document")})
            | {"operationId": "openapi"}
        },
    }
