"""What the descriptions of all paths are made of: answers, headers, parameters."""

from serve_apps.gateway.openapi.schema import TEXT, Json

JSON = "application/json"
EVENTS = "text/event-stream"

REFUSALS = {
    400: "The request can't be read, or asks for something impossible (`invalid_request`).",
    404: "There is nothing of that name (`not_found`).",
    408: "The body was not complete in time (`request_timeout`).",
    409: "The idempotency key was used before with another body (`conflict`).",
    410: "It is not kept any more (`expired`).",
    413: "The body is larger than the gateway takes (`too_large`).",
    429: "The key had enough for now, or there is no room (`rate_limit_exceeded`, `queue_full`).",
    431: "The headers are too many or too long (`headers_too_large`).",
    502: "The language model or the replica that answered failed; the code says how.",
    503: "Nobody can answer now, or the disk is full (`starting`, `storage_full`).",
    504: "The request's time ran out (`timeout`).",
}
READING = (400, 408, 413, 431)
"""What may befall any body."""
RUNNING = (404, 429, 502, 503, 504)
"""What may befall any run of a workflow."""

KNOWN_BY = {
    "x-trimtab-variant": "The variant that answered.",
    "x-trimtab-trace-id": "Names this answer, for feedback on it.",
    "x-trimtab-conversation": "Sent back with the next request, it goes on with the conversation.",
}
MEASURED = {
    "x-trimtab-overhead-ms": "What the gateway itself took of the time.",
    "x-trimtab-degraded": "What was given up on the way, such as `faster_model`.",
} | {
    f"x-ratelimit-{what}-{measure}": f"{said} of {measure.replace('-', ' ')}; only under a limit."
    for measure in ("requests", "tokens", "cost-usd")
    for what, said in (
        ("limit", "The key's limit"),
        ("remaining", "What remains to the key"),
        ("reset", "When the limit is whole again"),
    )
}


def ref(name: str, kind: str = "schemas") -> Json:
    """A part of the document by its name."""
    return {"$ref": f"#/components/{kind}/{name}"}


def header(name: str) -> Json:
    """A header that a client may send."""
    return ref(name, "parameters")


def in_path(name: str, what: str) -> Json:
    """A part of a path."""
    text = {"type": "string", "minLength": 1}
    return {"name": name, "in": "path", "required": True, "description": what, "schema": text}


def in_query(name: str, what: str, schema: Json) -> Json:
    """A parameter after the path."""
    return {"name": name, "in": "query", "description": what, "schema": schema}


def answer(what: str, schema: str, *, events: str = "", headers: Json | None = None) -> Json:
    """An answer of this shape; with `events`, also as events, each of that shape."""
    content: Json = {JSON: {"schema": ref(schema)}}
    if events:
        content[EVENTS] = {"schema": ref(events)}
    said = {name: {"description": why, "schema": TEXT} for name, why in (headers or {}).items()}
    return {"description": what, "content": content} | ({"headers": said} if said else {})


def body(schema: str, **examples: Json) -> Json:
    """What a request has to bring."""
    named = {name: {"value": value} for name, value in examples.items()}
    return {"required": True, "content": {JSON: {"schema": ref(schema), "examples": named}}}


def refusals(*statuses: int) -> Json:
    """The answers that say what went wrong."""
    return {str(status): ref(f"Refused{status}", "responses") for status in sorted(statuses)}


def refused() -> Json:
    """Every such answer by its name."""
    return {f"Refused{status}": _refused(status, why) for status, why in REFUSALS.items()}


def parameters() -> Json:
    """The headers that clients may send, by name."""
    said = {
        "Conversation": (
            "x-trimtab-conversation",
            "The conversation that this goes on with: an id that was given out here, or your own.",
        ),
        "Variant": ("x-trimtab-variant", "A tester's variant; such a request is no evidence."),
        "Traceparent": ("traceparent", "The caller's trace, of which this becomes a part."),
    }
    return {
        name: {"name": sent, "in": "header", "description": why, "schema": TEXT}
        for name, (sent, why) in said.items()
    }


def _refused(status: int, why: str) -> Json:
    if status not in (429, 503):
        return answer(why, "Error")
    return answer(why, "Error", headers={"retry-after": "In so many seconds."})
