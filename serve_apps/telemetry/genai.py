"""Our traces in OpenTelemetry's words: the one place that knows its GenAI conventions.

They are in development and change with each version, so the names are pinned here. No text of a
question or an answer is ever exported.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from serve_apps.telemetry.context import TraceContext, own, span_id_of
from serve_apps.telemetry.nesting import parents_of

CONVENTIONS = "1.44.0"
"""The version of the semantic conventions whose names are used."""
SCHEMA_URL = f"https://opentelemetry.io/schemas/{CONVENTIONS}"

AGENT_NAME = "gen_ai.agent.name"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OPERATION = "gen_ai.operation.name"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
PROVIDER = "gen_ai.provider.name"
REQUEST_MODEL = "gen_ai.request.model"
FIRST_CHUNK = "gen_ai.response.time_to_first_chunk"
TOOL_NAME = "gen_ai.tool.name"
WORKFLOW_NAME = "gen_ai.workflow.name"
ERROR_TYPE = "error.type"
FLAG_KEY = "feature_flag.key"
FLAG_VARIANT = "feature_flag.result.variant"

OPERATIONS = {"llm": "chat", "agent": "invoke_agent", "tool": "execute_tool"}
"""The operation that a span of this kind is; others have none."""
OPENAI = "openai"
"""Every model is asked by OpenAI's protocol, whoever runs it."""

Attributes = dict[str, str | bool | int | float]
SCOPE = InstrumentationScope("trimtab", schema_url=SCHEMA_URL)


def otel_spans(
    row: Mapping[str, Any],
    spans: Sequence[Mapping[str, Any]],
    context: TraceContext | None,
    resource: Resource,
) -> list[ReadableSpan]:
    """A request and its steps as spans; the request's is the first.

    `context` is the caller's, of which the request becomes a part; without one it is a trace of
    its own.
    """
    trace_id = row["trace_id"]
    trace = context or own(trace_id)
    ids = [span_id_of(trace_id), *(_step_id(trace_id, number) for number in range(len(spans)))]
    contexts = [_context(trace, id_) for id_ in ids]
    caller = None if context is None else _context(context, context.span_id, is_remote=True)
    made = [_request(row, contexts[0], caller, resource)]
    for number, (span, parent) in enumerate(zip(spans, parents_of(spans), strict=True), start=1):
        above = contexts[0] if parent is None else contexts[parent + 1]
        made.append(_step(span, row["at"], (contexts[number], above), resource))
    return made


def _request(
    row: Mapping[str, Any], context: SpanContext, caller: SpanContext | None, resource: Resource
) -> ReadableSpan:
    attributes: Attributes = {
        OPERATION: "invoke_workflow",
        WORKFLOW_NAME: row["workflow"],
        FLAG_KEY: row["workflow"],
        FLAG_VARIANT: row["variant"],
        "trimtab.trace_id": row["trace_id"],
        "trimtab.cache_hit": row["cache_hit"],
        **_given(row, {INPUT_TOKENS: "input_tokens", OUTPUT_TOKENS: "output_tokens"}),
        **_given(row, {"trimtab.cost_usd": "cost_usd", "trimtab.segment": "segment"}),
        **_failed(row),
    }
    return ReadableSpan(
        name=f"invoke_workflow {row['workflow']}",
        context=context,
        parent=caller,
        resource=resource,
        attributes=attributes,
        kind=SpanKind.SERVER,
        status=_status(row),
        start_time=_nanoseconds(row["at"]),
        end_time=_nanoseconds(row["at"] + row["duration_s"]),
        instrumentation_scope=SCOPE,
    )


def _step(
    span: Mapping[str, Any], at: float, place: tuple[SpanContext, SpanContext], resource: Resource
) -> ReadableSpan:
    kind = span.get("kind", "step")
    operation = OPERATIONS.get(kind)
    about = {"llm": span.get("model") or "", "agent": span["node"], "tool": span["node"]}
    began = at + span["start_s"]
    return ReadableSpan(
        name=f"{operation} {about[kind]}".rstrip() if operation else span["node"],
        context=place[0],
        parent=place[1],
        resource=resource,
        attributes=dict(_attributes(span, kind)),
        kind=SpanKind.CLIENT if kind == "llm" else SpanKind.INTERNAL,
        status=_status(span),
        start_time=_nanoseconds(began),
        end_time=_nanoseconds(began + span["duration_s"]),
        instrumentation_scope=SCOPE,
    )


def _attributes(span: Mapping[str, Any], kind: str) -> Iterator[tuple[str, Any]]:
    yield "trimtab.node", span["node"]
    yield "trimtab.kind", kind
    if kind in OPERATIONS:
        yield OPERATION, OPERATIONS[kind]
    if kind == "llm":
        yield PROVIDER, OPENAI
        names = {REQUEST_MODEL: "model", INPUT_TOKENS: "input_tokens", FIRST_CHUNK: "first_text_s"}
        yield from _given(span, names | {OUTPUT_TOKENS: "output_tokens"}).items()
    elif kind == "tool":
        yield TOOL_NAME, span["node"]
    elif kind == "agent":
        yield AGENT_NAME, span["node"]
    own_words = ("attempt", "action", "cost_usd", "cache", "cache_hit", "steps", "found")
    yield from _given(span, {f"trimtab.{name}": name for name in own_words}).items()
    yield from _failed(span).items()


def _given(about: Mapping[str, Any], names: Mapping[str, str]) -> Attributes:
    """The attributes that were measured, under their outer names."""
    found = {outer: about.get(inner) for outer, inner in names.items()}
    return {outer: value for outer, value in found.items() if value is not None}


def _failed(about: Mapping[str, Any]) -> Attributes:
    return {ERROR_TYPE: about["error"] or about["status"]} if about["status"] != "ok" else {}


def _status(about: Mapping[str, Any]) -> Status:
    return Status(StatusCode.UNSET if about["status"] == "ok" else StatusCode.ERROR)


def _context(trace: TraceContext, span_id: str, *, is_remote: bool = False) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(int(trace.trace_id, 16), int(span_id, 16), is_remote, flags)


def _step_id(trace_id: str, number: int) -> str:
    return hashlib.blake2b(f"{trace_id}/{number}".encode(), digest_size=8).hexdigest()


def _nanoseconds(at: float) -> int:
    return round(at * 1e9)
