import opentelemetry.semconv._incubating.attributes.gen_ai_attributes as names
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import SpanKind
from opentelemetry.trace.status import StatusCode

from serve_apps.telemetry import genai
from serve_apps.telemetry.context import TraceContext, own, span_id_of
from serve_apps.telemetry.genai import otel_spans
from serve_apps.telemetry.nesting import parents_of
from tests.serve_apps.telemetry.requests import NOON, SPANS, TRACE_ID, row, span

RESOURCE = Resource.create({"service.name": "trimtab"})
CALLER = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")


@pytest.fixture
def made():
    return otel_spans(row(), SPANS, None, RESOURCE)


def of(span):
    return dict(span.attributes)


def test_the_names_are_those_of_the_pinned_conventions():
    pinned = {
        genai.AGENT_NAME: names.GEN_AI_AGENT_NAME,
        genai.INPUT_TOKENS: names.GEN_AI_USAGE_INPUT_TOKENS,
        genai.OUTPUT_TOKENS: names.GEN_AI_USAGE_OUTPUT_TOKENS,
        genai.OPERATION: names.GEN_AI_OPERATION_NAME,
        genai.PROVIDER: names.GEN_AI_PROVIDER_NAME,
        genai.REQUEST_MODEL: names.GEN_AI_REQUEST_MODEL,
        genai.FIRST_CHUNK: names.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK,
        genai.TOOL_NAME: names.GEN_AI_TOOL_NAME,
        genai.WORKFLOW_NAME: names.GEN_AI_WORKFLOW_NAME,
        genai.ERROR_TYPE: error_attributes.ERROR_TYPE,
    }
    operations = {one.value for one in names.GenAiOperationNameValues}

    assert all(ours == theirs for ours, theirs in pinned.items())
    assert {*genai.OPERATIONS.values(), "invoke_workflow"} <= operations
    assert {one.value for one in Schemas} >= {genai.SCHEMA_URL}


def test_the_request_is_the_root_and_says_which_variant_served_it(made):
    root = made[0]

    assert root.name == "invoke_workflow docs-qa"
    assert root.kind is SpanKind.SERVER
    assert root.parent is None
    assert of(root)["gen_ai.operation.name"] == "invoke_workflow"
    assert of(root)["feature_flag.result.variant"] == "0123456789ab"
    assert of(root)["gen_ai.usage.input_tokens"] == 100
    assert (root.end_time - root.start_time) == pytest.approx(1.25e9)


def test_a_model_call_has_the_names_of_a_chat(made):
    chat = made[5]

    assert chat.name == "chat small"
    assert chat.kind is SpanKind.CLIENT
    assert of(chat) | {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "small",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.response.time_to_first_chunk": 0.1,
        "trimtab.attempt": 2,
        "trimtab.action": "faster_model",
    } == of(chat)


def test_agents_and_tools_have_theirs(made):
    assert made[1].name == "invoke_agent qa_agent"
    assert made[6].name == "execute_tool calculator"
    assert of(made[6])["gen_ai.tool.name"] == "calculator"
    assert of(made[2])["trimtab.kind"] == "step"
    assert "gen_ai.operation.name" not in of(made[2])


def test_a_failure_has_its_class(made):
    failed = made[4]

    assert failed.status.status_code is StatusCode.ERROR
    assert of(failed)["error.type"] == "rate_limited"
    assert {span.status.status_code for span in made} == {StatusCode.ERROR, StatusCode.UNSET}


def test_steps_lie_within_the_agent_and_the_agent_in_the_request(made):
    ids = [span.context.span_id for span in made]

    assert made[1].parent.span_id == ids[0]
    assert {span.parent.span_id for span in made[2:]} == {ids[1]}


def test_a_called_request_is_a_part_of_its_callers_trace():
    made = otel_spans(row(), SPANS, CALLER, RESOURCE)

    assert {f"{span.context.trace_id:032x}" for span in made} == {CALLER.trace_id}
    assert f"{made[0].parent.span_id:016x}" == CALLER.span_id
    assert made[0].parent.is_remote


def test_ids_are_known_before_the_spans_are_made(made):
    assert f"{made[0].context.span_id:016x}" == span_id_of(TRACE_ID)
    assert f"{made[0].context.trace_id:032x}" == own(TRACE_ID).trace_id
    assert len({span.context.span_id for span in made}) == len(made)


def test_what_was_said_is_never_exported():
    private = {"question": "my secret question", "answer": "my secret answer"}

    made = otel_spans(row(**private), SPANS, None, RESOURCE)

    assert all("secret" not in span.to_json() for span in made)


def test_what_nobody_measured_is_left_out():
    made = otel_spans(row(cost_usd=None, input_tokens=None), (), None, RESOURCE)

    assert not {"trimtab.cost_usd", "gen_ai.usage.input_tokens"} & of(made[0]).keys()


times = st.floats(0.0, 10.0, allow_nan=False)
made_up = st.lists(
    st.tuples(times, times, st.sampled_from(["llm", "agent", "tool", "cache", "loop"])), max_size=12
).map(
    lambda parts: [
        span(f"n{place}", start, took, kind=kind)
        for place, (start, took, kind) in enumerate(sorted(parts))
    ]
)


@given(made_up)
def test_a_parent_began_before_and_ended_after(spans):
    for child, parent in zip(spans, parents_of(spans), strict=True):
        if parent is not None:
            around = spans[parent]
            assert around["start_s"] <= child["start_s"] + 1e-5
            assert around["start_s"] + around["duration_s"] >= (
                child["start_s"] + child["duration_s"] - 1e-5
            )


@given(made_up)
def test_every_step_becomes_one_span_after_the_requests(spans):
    made = otel_spans(row(), spans, None, RESOURCE)

    assert len(made) == len(spans) + 1
    assert all(span.start_time >= NOON * 1e9 - 1 for span in made)
