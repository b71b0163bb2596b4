"""Laws of the diagnosis: where a request's time went, and what is recommended by which figures."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.tools import Tool, Tools
from engine.config.workflow import Workflow
from engine.errors import ConfigError
from engine.evidence.diagnosis.advice import Limits
from engine.evidence.diagnosis.diagnose import diagnose, users_traces
from engine.evidence.diagnosis.path import steps_of, waited_s
from engine.evidence.facts import Facts
from engine.evidence.records import empty

TRACE = empty("trace").drop("batch").schema
USUAL = {
    "workflow": "support",
    "variant": "v1",
    "duration_s": 1.0,
    "status": "ok",
    "error": "",
    "input_tokens": 100,
    "output_tokens": 20,
    "cost_usd": 0.01,
}


def span(node, start_s, duration_s, **more):
    return {"node": node, "start_s": start_s, "duration_s": duration_s, "status": "ok"} | more


def llm(node="writer", start_s=0.0, duration_s=0.1, **more):
    usage = {"input_tokens": 100, "output_tokens": 20, "cost_usd": 0.01}
    return span(node, start_s, duration_s, kind="llm", attempt=1) | usage | more


def tool(node="search", start_s=0.0, duration_s=0.1, **more):
    return span(node, start_s, duration_s, kind="tool", **more)


def trace(number, *spans, **changes):
    own = {"trace_id": f"t{number}", "at": float(number), "spans": json.dumps(spans)}
    return own | USUAL | changes


def table(traces):
    return pl.DataFrame(traces, schema=TRACE)


def seen(traces, limits=None):
    return diagnose(table(traces), limits or Limits())


def alike(*spans, count=40, **changes):
    return [trace(n, *spans, **changes) for n in range(count)]


def findings(traces, limits=None):
    return {(one.finding, one.node) for one in seen(traces, limits).recommendations}


def shares(duration_s, *spans):
    steps = steps_of(json.dumps(spans))
    waited, elsewhere = waited_s(steps, duration_s)
    named = {}
    for step, seconds in zip(steps, waited, strict=True):
        named[step.node] = named.get(step.node, 0.0) + seconds
    return {name: round(seconds, 6) for name, seconds in named.items()}, round(elsewhere, 6)


def test_steps_in_a_row_own_their_time_and_nobody_owns_the_rest():
    found = shares(1.0, span("router", 0.0, 0.1), llm("writer", 0.2, 0.5))

    assert found == ({"router": 0.1, "writer": 0.5}, 0.4)


def test_of_two_at_once_the_request_waits_for_the_last():
    found = shares(1.0, tool("quick", 0.0, 0.3), tool("slow", 0.0, 1.0))

    assert found == ({"quick": 0.0, "slow": 1.0}, 0.0)


def test_the_time_before_the_last_one_belongs_to_whom_it_followed():
    found = shares(1.0, tool("first", 0.0, 0.4), tool("other", 0.0, 0.2), llm("then", 0.4, 0.6))

    assert found == ({"first": 0.4, "other": 0.0, "then": 0.6}, 0.0)


def test_an_agent_owns_only_what_its_calls_leave_over():
    agent = span("agent", 0.0, 1.0, kind="agent")

    found = shares(1.0, agent, llm("writer", 0.1, 0.4), tool("search", 0.6, 0.3))

    assert found == ({"agent": 0.3, "writer": 0.4, "search": 0.3}, 0.0)


def test_a_tool_within_the_time_of_another_is_no_part_of_it():
    found = shares(1.0, tool("slow", 0.0, 1.0), tool("quick", 0.2, 0.3))

    assert found == ({"slow": 1.0, "quick": 0.0}, 0.0)


def test_what_goes_on_after_the_answer_was_not_waited_for():
    found = shares(1.0, llm("writer", 0.0, 1.0), tool("prefetch", 0.5, 3.0))

    assert sum(found[0].values()) == pytest.approx(1.0)


times = st.floats(0.0, 10.0).map(lambda value: round(value, 3))
spans = st.builds(
    lambda kind, start_s, duration_s: span(kind, start_s, duration_s, kind=kind),
    st.sampled_from(["llm", "tool", "agent", "step"]),
    times,
    times,
)


@given(duration_s=times, listed=st.lists(spans, max_size=12))
def test_the_shares_add_up_to_the_request(duration_s, listed):
    steps = steps_of(json.dumps(sorted(listed, key=lambda one: one["start_s"])))

    waited, elsewhere = waited_s(steps, duration_s)

    assert sum(waited) + elsewhere == pytest.approx(duration_s)
    assert min([*waited, elsewhere]) >= 0.0


def test_the_figures_of_a_node_are_its_own():
    traces = [trace(n, llm(duration_s=0.1 + n / 100), tool(start_s=0.9)) for n in range(20)]
    traces += [trace(n, tool(), tool(start_s=0.2, status="error")) for n in range(20, 30)]

    found = seen(traces)

    by_name = {node.node: node for node in found.nodes}
    writer, search = by_name["writer"], by_name["search"]
    assert (writer.kind, writer.calls, writer.requests) == ("llm", 20, 20)
    assert (writer.input_tokens, writer.output_tokens) == (2_000, 400)
    assert writer.cost_usd == pytest.approx(0.2)
    assert writer.p50_s == pytest.approx(0.195)
    assert writer.trace_ids == ("t19", "t18", "t17")
    assert (search.calls, search.requests, search.failed) == (40, 30, 10)
    assert search.calls_per_request == pytest.approx(4 / 3)
    assert search.failed_ids == ("t29", "t28", "t27")
    assert (search.input_tokens, search.cost_usd, search.cache_hit_share) == (None, None, None)
    assert sum(node.critical_share for node in found.nodes) + found.workflows[
        0
    ].elsewhere_share == pytest.approx(1.0)


def test_what_no_endpoint_said_stays_unknown():
    unknown = {"input_tokens": None, "output_tokens": None, "cost_usd": None}

    found = seen(alike(llm(**unknown), **unknown))

    (whole,), (node,) = found.workflows, found.nodes
    assert (whole.tokens_p95, whole.input_tokens, whole.cost_usd) == (None, None, None)
    assert (node.input_tokens, node.cost_usd) == (None, None)


def test_a_healthy_workflow_gets_no_recommendation():
    assert seen(alike(llm(), tool(start_s=0.1))).recommendations == ()


def test_no_traces_have_no_diagnosis():
    assert seen([]).workflows == ()


FINDINGS = [
    ("slow_model", "writer", alike(llm(duration_s=6.0), duration_s=9.0), 6.0, "llm.max_tokens"),
    ("model_bound", "", alike(llm(duration_s=0.9)), 0.9, "llm.name"),
    (
        "slow_tool",
        "search",
        alike(tool(duration_s=3.0), duration_s=9.0),
        3.0,
        "tools.settings.search.cache_ttl_s",
    ),
    ("many_steps", "", alike(*[tool()] * 11), 11.0, "budget.steps"),
    ("many_tokens", "", alike(llm(), input_tokens=11_980), 12_000.0, "rag.top_k"),
    (
        "failing",
        "search",
        [trace(n, tool(status="error" if n < 4 else "ok")) for n in range(40)],
        0.1,
        "tools.settings.search.retries",
    ),
    (
        "failing",
        "writer",
        [trace(n, llm(status="timeout" if n < 4 else "ok")) for n in range(40)],
        0.1,
        "resilience.fallback.models",
    ),
    (
        "cold_cache",
        "search",
        [trace(n, tool(cache_hit=n < 2)) for n in range(40)],
        0.05,
        "tools.settings.search.cache_ttl_s",
    ),
    (
        "over_budget",
        "",
        [trace(n, llm(), error="budget_cost" if n < 2 else "") for n in range(40)],
        0.05,
        "budget.cost_usd",
    ),
]


@pytest.mark.parametrize(("finding", "node", "traces", "figure", "parameter"), FINDINGS)
def test_each_finding_comes_with_its_figure_limit_and_parameters(
    finding, node, traces, figure, parameter
):
    (one,) = seen(traces).recommendations

    assert (one.finding, one.node, one.workflow) == (finding, node, "support")
    assert one.figure == pytest.approx(figure)
    assert one.severity >= 1.0
    assert parameter in one.parameters
    assert 1 <= len(one.trace_ids) <= 3


def test_every_parameter_to_turn_is_one_of_the_workflow_file():
    found = [one for case in FINDINGS for one in seen(case[2]).recommendations]

    unknown = {path for one in found for path in one.parameters if not is_parameter(path)}

    assert unknown == set()


def is_parameter(path):
    model = Workflow
    for name in path.split("."):
        if model is Tools and name == "settings":
            return path.rsplit(".", 1)[1] in Tool.model_fields
        if name not in model.model_fields:
            return False
        model = model.model_fields[name].annotation
    return True


def test_retries_of_a_call_are_one_step():
    attempts = [llm(attempt=number) for number in range(1, 12)]

    assert seen(alike(*attempts)).workflows[0].steps_p95 == 1.0


def test_a_budget_used_up_within_a_request_counts_once():
    spent = [tool(status="error", error="budget_steps"), llm(status="error", error="budget_steps")]

    assert seen(alike(*spent)).workflows[0].over_budget == {"steps": 40}


def test_few_calls_get_figures_but_no_recommendation():
    traces = alike(llm(duration_s=6.0), duration_s=9.0, count=19)

    found = seen(traces)

    assert (found.recommendations, found.nodes[0].calls) == ((), 19)
    assert findings(traces, Limits(min_calls=19)) == {("slow_model", "writer")}


def test_the_worst_comes_first_across_workflows():
    traces = alike(tool(duration_s=3.0), duration_s=9.0)
    traces += alike(tool(duration_s=8.0), duration_s=9.0, workflow="sales")

    found = seen(traces)

    assert [one.workflow for one in found.workflows] == ["sales", "support"]
    assert [one.figure for one in found.recommendations] == [8.0, 3.0]


def test_the_spans_of_the_question_answering_graph_are_read():
    spans = [
        span("router", 0.0, 0.01, chosen="qa_agent"),
        span("retrieve", 0.01, 0.09, cache_hit=False),
        span("qa_agent", 0.1, 0.5, input_tokens=50, output_tokens=5),
    ]

    found = seen(alike(*spans))

    assert {node.node: node.kind for node in found.nodes} == {
        "router": "step",
        "retrieve": "step",
        "qa_agent": "llm",
    }
    assert found.workflows[0].model_share == pytest.approx(0.5)


@pytest.mark.parametrize("limit", ["model_call_s", "min_calls"])
def test_a_limit_of_nothing_is_refused(limit):
    with pytest.raises(ConfigError, match=limit):
        seen(alike(llm()), Limits(**{limit: 0}))


def test_what_testers_forced_is_no_users_traffic():
    exposures = empty("exposure").drop("batch").schema
    facts = Facts(
        exposures=pl.DataFrame([{"trace_id": "t1", "forced": True}], schema=exposures),
        traces=table([trace(n, llm()) for n in range(4)]),
        feedback=pl.DataFrame([], schema=empty("feedback").drop("batch").schema),
    )

    left = users_traces(facts, after=0.5, upto=2.5)

    assert left["trace_id"].to_list() == ["t2"]
