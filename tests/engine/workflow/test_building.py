"""What a variant is built of: its stand-ins, its memory, its tools."""

import asyncio
import time

import httpx2
import numpy as np
import pytest

from engine.config.budget import Budget
from engine.config.workflow import Workflow
from engine.errors import ConfigError
from engine.testing import shop
from engine.workflow.answer import Asked
from engine.workflow.building import Shared, flow_of
from engine.workflow.failure import StepError
from engine.workflow.plan.journal import Decided
from engine.workflow.plan.runs import Runs
from tests.engine.workflow.endpoint import Endpoint, completion

ASK = {"type": "model", "say": "{{ input.question }}"}
DOWN = httpx2.Response(503, json={})


async def flat(texts):
    return np.ones((len(texts), 384), dtype=np.float32) / np.sqrt(384.0, dtype=np.float32)


def workflow(nodes=None, output="answer.text", **more):
    graph = {"nodes": nodes or {"answer": ASK}, "output": output}
    return Workflow.model_validate({"workflow": "w", "graph": graph} | more)


@pytest.fixture
async def built(tmp_path):
    flows = []

    async def build(settings, endpoint):
        shared = Shared(tmp_path, flat, {}, "none", endpoint.client())
        flows.append(await flow_of(settings, shared, "v"))
        return flows[-1]

    yield build
    for flow in flows:
        await flow.close()


async def ask(flow, text="Why?", conversation="", **more):
    messages = [{"role": "user", "content": text}]
    return await flow.answer(
        Asked("r", messages, time.monotonic() + 5.0, conversation=conversation, **more)
    )


def fallback(**settings):
    return {"resilience": {"retry": {"attempts": 1}, "fallback": settings}}


async def test_a_faster_model_stands_in_for_one_that_fails(built):
    endpoint = Endpoint(DOWN, completion("quick"))
    flow = await built(workflow(**fallback(models=["small"])), endpoint)

    answer = await ask(flow)

    assert (answer.text, answer.degraded) == ("quick", ("faster_model",))
    assert [each["model"] for each in endpoint.requests] == ["embedded-reader", "small"]


async def test_what_was_answered_before_stands_in_when_every_model_fails(built):
    endpoint = Endpoint(completion("because"), DOWN)
    flow = await built(workflow(**fallback(cached=True)), endpoint)

    first, again = await ask(flow), await ask(flow)
    with pytest.raises(StepError):
        await ask(flow, "Who?")

    assert (first.degraded, again.text, again.degraded) == ((), "because", ("cached",))


async def test_the_preset_answer_names_the_request(built):
    flow = await built(
        workflow(**fallback(preset="We look into it; your task is {task_id}.")), Endpoint(DOWN)
    )

    answer = await ask(flow)

    assert (answer.text, answer.degraded) == ("We look into it; your task is r.", ("preset",))


async def test_the_very_same_question_is_asked_once_where_that_is_set(built):
    endpoint = Endpoint(completion("because"))
    flow = await built(workflow(caching={"exact": {"enabled": True}}), endpoint)

    first, again = await ask(flow), await ask(flow)

    assert (first.text, again.text, again.cache_hit) == ("because", "because", True)
    assert len(endpoint.requests) == 1


async def test_a_conversation_is_remembered(built):
    endpoint = Endpoint(completion("It is Ann."), completion("Ann."))
    nodes = {"answer": ASK | {"history": True}}
    flow = await built(workflow(nodes, conversations={}), endpoint)

    await ask(flow, "My name is Ann.", "c1")
    await ask(flow, "What is my name?", "c1")
    await ask(flow, "What is my name?", "c2")

    said = [[message["content"] for message in each["messages"]] for each in endpoint.requests]
    assert said[1] == ["My name is Ann.", "It is Ann.", "What is my name?"]
    assert said[2] == ["What is my name?"]


async def test_a_long_conversation_is_fitted_into_the_context(built):
    endpoint = Endpoint(completion("x"))
    context = {"limit_tokens": 5_000, "reserve_tokens": 4_096}
    nodes = {"answer": ASK | {"history": True}}
    flow = await built(workflow(nodes, context=context), endpoint)
    before = [{"role": "user", "content": f"{n} " + "word " * 200} for n in range(20)]

    messages = [*before, {"role": "user", "content": "the last one"}]
    answer = await flow.answer(Asked("r", messages, time.monotonic() + 5.0))

    kept = endpoint.requests[0]["messages"]
    assert kept[-1]["content"] == "the last one"
    assert 1 < len(kept) < 21
    assert "context" in [span["node"] for span in answer.spans]


@pytest.mark.parametrize(
    ("tools", "names", "why"),
    [
        ({}, ["nothing"], "there is no tool 'nothing'"),
        ({"functions": {"pay": "engine.testing.shop:pay"}}, ["pay"], "add shop.write to"),
        ({"functions": {"pay": "engine.testing.shop:gone"}}, ["pay"], "can't be found"),
        ({"functions": {"pay": "engine.testing.shop:valid"}}, ["pay"], "put `@tool"),
        ({"functions": {"buy": "engine.testing.shop:pay"}}, ["buy"], "calls itself 'pay'"),
        ({"databases": [{"name": "x", "path": "x.db", "tables": ["t"]}]}, ["ask_x"], "x.db"),
    ],
)
async def test_a_variant_that_lacks_a_tool_is_refused(built, tools, names, why):
    agent = {"type": "agent", "say": "{{ input.question }}", "tools": names}

    with pytest.raises(ConfigError, match=why):
        await built(workflow({"answer": agent}, tools=tools), Endpoint(completion("x")))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"question": 3}, "`question`: got 3; give text"),
        ({}, "`question` is missing; give text"),
        ({"question": "x", "quest": "y"}, "there is no input `quest`; did you mean `question`?"),
    ],
)
async def test_inputs_that_the_graph_does_not_take_are_refused(built, given, why):
    flow = await built(workflow(), Endpoint(completion("x")))

    with pytest.raises(ConfigError) as refused:
        await ask(flow, given=given)
    assert why in str(refused.value)


async def test_a_text_that_stands_for_several_inputs_is_read_as_json(built):
    nodes = {"answer": ASK | {"say": "{{ input.name }} {{ input.age }}"}}
    given = {"name": "text", "age": "integer"}
    graph = {"input": given, "nodes": nodes, "output": "answer.text"}
    endpoint = Endpoint(completion("x"))
    flow = await built(Workflow.model_validate({"workflow": "w", "graph": graph}), endpoint)

    await ask(flow, '{"name": "Ann", "age": 7}')

    assert endpoint.requests[0]["messages"][-1]["content"] == "Ann 7"
    with pytest.raises(ConfigError, match="send them as a JSON object"):
        await ask(flow, "Ann, seven")


def asking_status(**step):
    nodes = {
        "want": {"type": "intent", "text": "input.question", "keywords": {"order": ["order"]}},
        "answer": {
            "type": "agent",
            "say": "{{ input.question }}",
            "tools": ["order_status"],
            "intent": "want.intent",
        },
    }
    nodes["answer"] |= step
    tools = {
        "scopes": ["shop.read"],
        "functions": {"order_status": "engine.testing.shop:order_status"},
        "prefetch": {"order": [{"tool": "order_status", "arguments": {"order": "A1"}}]},
    }
    return workflow(nodes, tools=tools)


async def test_a_likely_read_is_made_before_the_model_asks_for_it(built, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIMTAB_SHOP", str(tmp_path / "shop.db"))

    async def slowly(request):
        await asyncio.sleep(0.2)
        call = ("order_status", '{"order": "A1"}')
        return httpx2.Response(200, json=completion(calls=[call]))

    flow = await built(asking_status(), Endpoint(slowly, completion("On its way.")))

    answer = await ask(flow, "Where is my order?")

    tools = [span for span in answer.spans if span.get("kind") == "tool"]
    assert answer.text == "On its way."
    assert [span.get("early", False) for span in tools] == [True, False]
    assert tools[1]["prefetched"] is True


async def test_a_tools_result_is_remembered_where_the_tool_says_so(built, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIMTAB_SHOP", str(tmp_path / "shop.db"))
    step = {"type": "tool", "tool": "order_status", "arguments": {"order": "input.question"}}
    tools = {
        "scopes": ["shop.read"],
        "functions": {"order_status": "engine.testing.shop:order_status"},
        "settings": {"order_status": {"cache_ttl_s": 60}},
    }
    flow = await built(workflow({"answer": step}, tools=tools), Endpoint(completion("x")))

    first, again = await ask(flow, "A1"), await ask(flow, "A1")

    assert first.text == again.text == "order A1 is on its way"
    assert (first.cache_hit, again.cache_hit) == (False, True)


async def test_a_simple_question_goes_to_the_cheap_model_where_that_is_set(built):
    profile = {
        "context_tokens": 100_000,
        "input_usd": 1.0,
        "output_usd": 1.0,
        "first_text_s": 0.1,
        "tokens_per_s": 1000.0,
        "quality": 0.5,
    }
    models = {tier: profile | {"tier": tier} for tier in ("cheap", "usual")}
    endpoint = Endpoint(completion("x"))
    settings = workflow(model_choice={"models": models}, resilience={"tiers": {"cheap": "small"}})
    hard = "Compare, step by step, why `a[1:]` and `a[::-1]` differ; then prove that 3 * 7 = 21."

    flow = await built(settings, endpoint)
    answer = await ask(flow, "Hi")
    await ask(flow, f"{hard} {hard}")

    assert [each["model"] for each in endpoint.requests] == ["small", "embedded-reader"]
    assert "complexity" in next(s for s in answer.spans if s["node"] == "model_choice")["reason"]


async def test_an_agents_call_that_needs_approval_waits_for_a_person(built, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIMTAB_SHOP", str(tmp_path / "shop.db"))
    agent = {"type": "agent", "say": "{{ input.question }}", "tools": ["release"]}
    tools = {
        "scopes": ["shop.write"],
        "functions": {"release": "engine.testing.shop:release"},
        "settings": {"release": {"needs_approval": True}},
    }
    call = completion(calls=[("release", '{"order": "A1", "idempotency_key": "k"}')])
    endpoint = Endpoint(call, completion("I can't yet."), call, completion("Released."))
    flow = await built(workflow({"answer": agent}, tools=tools, durable=True), endpoint)
    journal = Runs(f"sqlite:///{tmp_path}/requests.db")

    waiting = await ask(flow)
    nothing_yet = shop.effects(tmp_path / "shop.db")
    [question] = journal.questions()
    journal.decide(question.id, Decided("approve", "fine"))
    ended = await ask(flow)
    journal.close()

    assert "wants to call `release` with" in waiting.questions[0].ask
    assert nothing_yet == []
    assert ended.text == "Released."
    assert shop.effects(tmp_path / "shop.db") == [("release", "A1")]


async def test_a_late_request_saves_what_time_it_can(built):
    endpoint = Endpoint(completion("x"))
    settings = workflow(budget={"latency_s": 1e-9}, resilience={"tiers": {"cheap": "small"}})

    await ask(await built(settings, endpoint))

    assert endpoint.requests[0]["model"] == "small"


def test_the_production_budget_is_small_unless_it_says_otherwise():
    small = Budget.model_validate({"preset": "production"})
    own = Budget.model_validate({"preset": "production", "cost_usd": 0.2})

    assert (small.cost_usd, small.degrade_at, own.cost_usd) == (0.05, 0.5, 0.2)
    assert (Budget().cost_usd, Budget().steps, Budget().tokens) == (0.5, 15, 50_000)


async def test_a_recording_is_written_down(built):
    endpoint = Endpoint({"text": "Hello there."})
    step = {"type": "transcribe", "audio": "input.question"}
    flow = await built(workflow({"answer": step}), endpoint)

    answer = await ask(flow, "data:audio/wav;base64,UklGRg==")

    assert answer.text == "Hello there."
    with pytest.raises(StepError, match="no data URL with a recording"):
        await ask(flow, "data:audio/wav;base64,???")
