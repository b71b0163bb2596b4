import json
import time

import httpx2
import numpy as np
import pytest

from engine.config.context import Compression, Context
from engine.config.model import Resilience, Retry
from engine.config.tools import Tools
from engine.config.workflow import (
    Llm,
    Node,
    Nodes,
    Rag,
    Rerank,
    Reviewer,
    Router,
    Summary,
    ToolAgent,
    Workflow,
)
from engine.errors import ConfigError, DeadlineError
from engine.workflow.answer import Asked
from engine.workflow.building import Shared, asker_of
from engine.workflow.chunks import Chunk
from engine.workflow.failure import LlmError
from engine.workflow.memo import QueryMemo
from engine.workflow.qa import MAX_TURNS, QaFlow
from engine.workflow.retrieval.retriever import Retriever
from engine.workflow.retrieval.store import open_store, write_store
from engine.workflow.toolset import Toolset
from tests.engine.workflow.endpoint import Endpoint, completion

CHUNKS = [Chunk("a", f"Passage number {word}.") for word in ("one", "two", "three", "four")]
SUM = ("calculator", '{"expression": "2 + 3"}')


class North:
    """Every text points the same way: to the first chunk, then to the others in order."""

    def __init__(self):
        self.calls = 0

    async def __call__(self, texts):
        self.calls += 1
        return np.asarray([[0.9, 0.4, 0.2, 0.1]] * len(texts), dtype=np.float32)


@pytest.fixture
async def flow(tmp_path):
    tools = await Toolset.opened(Tools())
    write_store(tmp_path / "store", CHUNKS, np.eye(4, dtype=np.float32))
    store = open_store(tmp_path / "store")

    def made(settings, client, embed=None):
        embed = embed or North()
        asker = asker_of(settings, Shared(tmp_path, embed, {}, "none", client), "v")
        retriever = Retriever(store, settings.rag.retrieval, QueryMemo(embed), asker)
        return QaFlow(settings, asker, retriever, tools)

    yield made
    await tools.close()


def workflow(**changes):
    once = Resilience(retry=Retry(attempts=1))
    changes.setdefault("resilience", once)
    return Workflow(workflow="docs", prompts={"plain": "Be plain."}, **changes)


TOOL_FIRST = workflow(
    nodes=Nodes(qa_agent=Node(), qa_with_tool_agent=ToolAgent(default=True)), rag=Rag(top_k=1)
)


async def ask(flow, text="What is it?", before=(), spans=None, deadline_s=5.0):
    return await flow.answer(
        Asked(
            id="r",
            messages=[*before, {"role": "user", "content": text}],
            deadline=time.monotonic() + deadline_s,
            spans=[] if spans is None else spans,
        )
    )


def nodes(spans):
    return [span["node"] for span in spans]


async def test_the_llm_reads_the_prompt_the_best_chunks_and_the_question(flow):
    endpoint = Endpoint(completion("an answer"))
    answering = flow(workflow(rag=Rag(top_k=2)), endpoint.client())

    answer = await ask(answering)

    assert answer.text == "an answer"
    assert (answer.input_tokens, answer.output_tokens, answer.cost_usd) == (10, 5, 0.0)
    assert endpoint.requests[0]["messages"] == [
        {"role": "system", "content": "Be plain."},
        {
            "role": "user",
            "content": "Context:\n[1] Passage number one.\n\n[2] Passage number two.\n\n"
            "Question: What is it?",
        },
    ]
    assert "tools" not in endpoint.requests[0]


async def test_reranking_reads_deeper_and_lifts_the_shared_word(flow):
    endpoint = Endpoint(completion("x"))
    rag = Rag(top_k=1, rerank=Rerank(enabled=True, depth=4))
    spans = []

    await ask(flow(workflow(rag=rag), endpoint.client()), "three?", spans=spans)

    assert "Passage number three." in endpoint.requests[0]["messages"][-1]["content"]
    assert nodes(spans)[:4] == ["router", "retrieve", "rerank", "qa_agent"]


async def test_the_conversation_before_is_seen_and_cut_to_its_end(flow):
    endpoint = Endpoint(completion("x"))
    before = [{"role": "user", "content": f"turn {n}"} for n in range(9)]

    await ask(flow(workflow(), endpoint.client()), before=before)

    assert [m["content"] for m in endpoint.requests[0]["messages"][1:-1]] == [
        f"turn {n}" for n in range(3, 9)
    ]


async def test_a_tool_call_is_answered_with_its_result(flow):
    endpoint = Endpoint(completion(calls=[SUM, SUM]), completion("It is 5."))
    spans = []

    answer = await ask(flow(TOOL_FIRST, endpoint.client()), spans=spans)

    results = [m for m in endpoint.requests[1]["messages"] if m["role"] == "tool"]
    assert answer.text == "It is 5."
    assert (answer.input_tokens, answer.output_tokens) == (20, 10)
    assert [(m["tool_call_id"], m["content"]) for m in results] == [
        ("call_0", "5"),
        ("call_1", "You made this very call before; its result was:\n5"),
    ]
    assert nodes(spans)[2:] == [
        *("qa_with_tool_agent", "calling", "calling_turn", "calculator", "calling_turn")
    ]


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (("calculator", "{"), "tool_arguments"),
        (("calculator", "[]"), "tool_arguments"),
        (("calculator", '{"expression": 3}'), "tool_arguments"),
        (("calculator", '{"expression": "1", "more": 2}'), "tool_arguments"),
        (("calculator", '{"expression": "__import__(\'os\')"}'), "tool_arguments"),
        (("shell", '{"expression": "1"}'), "tool_unknown"),
    ],
)
async def test_bad_arguments_go_back_to_the_llm_as_an_error(flow, call, why):
    endpoint = Endpoint(completion(calls=[call]), completion("Sorry."))
    spans = []

    answer = await ask(flow(TOOL_FIRST, endpoint.client()), spans=spans)

    assert answer.text == "Sorry."
    assert endpoint.requests[1]["messages"][-1]["content"].startswith("error: ")
    assert [span["error"] for span in spans if span.get("kind") == "tool"] == [why]


async def test_the_tool_loop_is_bounded_and_its_last_turn_has_no_tools(flow):
    endpoint = Endpoint(completion("still", calls=[SUM]))

    answer = await ask(flow(TOOL_FIRST, endpoint.client()))

    assert len(endpoint.requests) == MAX_TURNS
    assert [each["tool_choice"] for each in endpoint.requests] == ["auto", "auto", "none"]
    assert answer.text == "still"


async def test_a_question_is_embedded_once_for_each_variant(flow):
    embed = North()
    client = Endpoint(completion("x")).client()
    one, other = (flow(workflow(), client, embed) for _ in range(2))

    first, again = await ask(one), await ask(one)
    elsewhere = await ask(other)

    assert (first.cache_hit, again.cache_hit, elsewhere.cache_hit) == (False, True, False)
    assert embed.calls == 2


async def test_a_failed_request_leaves_its_spans(flow):
    endpoint = Endpoint(httpx2.Response(500, json={}))
    spans = []

    with pytest.raises(LlmError):
        await ask(flow(workflow(), endpoint.client()), spans=spans)

    assert [(span["node"], span["status"], span["error"]) for span in spans] == [
        ("router", "ok", ""),
        ("retrieve", "ok", ""),
        ("qa_agent", "error", "upstream_5xx"),
        ("single", "error", "upstream_5xx"),
        ("single_turn", "error", "upstream_5xx"),
    ]
    assert json.dumps(spans)


async def test_a_late_vector_is_a_deadline(flow):
    spans = []
    answering = flow(workflow(), Endpoint(completion("x")).client())

    with pytest.raises(DeadlineError):
        await ask(answering, spans=spans, deadline_s=-1.0)

    assert spans[-1]["status"] == "timeout"


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "assistant", "content": "hi"}],
        [{"role": "user", "content": " "}],
        [{"role": "user", "content": None}],
    ],
)
async def test_a_conversation_must_end_with_a_users_text(flow, messages):
    answering = flow(workflow(), Endpoint(completion("x")).client())

    with pytest.raises(ConfigError, match="messages"):
        await answering.answer(Asked("r", messages, time.monotonic() + 1.0))


async def test_a_users_text_may_come_in_parts(flow):
    endpoint = Endpoint(completion("x"))
    answering = flow(workflow(), endpoint.client())
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": "it?"}]

    await ask(answering, parts)

    assert endpoint.requests[0]["messages"][-1]["content"].endswith("Question: What is it?")


async def test_enough_numbers_lead_to_the_tool_agent(flow):
    endpoint = Endpoint(completion("x"))
    settings = workflow(router=Router(tool_threshold=2), llm=Llm(temperature=0.0))
    answering = flow(settings, endpoint.client())

    await ask(answering, "What is 2 + 3?")
    await ask(answering, "What is PEP 8?")

    assert ["tools" in each for each in endpoint.requests] == [True, False]


async def test_a_reviewer_corrects_what_it_does_not_approve(flow):
    verdict = '{"approved": false, "remarks": "wrong", "answer": "a better answer"}'
    endpoint = Endpoint(completion("a draft"), completion(verdict))
    settings = workflow(nodes=Nodes(reviewer=Reviewer(enabled=True)))
    spans = []

    answer = await ask(flow(settings, endpoint.client()), spans=spans)

    assert answer.text == "a better answer"
    assert "review" in nodes(spans)


async def test_a_long_answer_is_shortened_by_the_summary_agent(flow):
    endpoint = Endpoint(completion("long " * 200), completion("short"))
    settings = workflow(nodes=Nodes(summary_agent=Summary(enabled=True, chars=100)))

    answer = await ask(flow(settings, endpoint.client()))

    assert answer.text == "short"


async def test_hybrid_retrieval_finds_by_words_too(flow):
    endpoint = Endpoint(completion("x"))
    spans = []

    await ask(
        flow(workflow(rag=Rag(top_k=1, mode="sparse")), endpoint.client()),
        "Which passage is number three?",
        spans=spans,
    )

    assert "Passage number three." in endpoint.requests[0]["messages"][-1]["content"]


async def test_passages_are_compressed_where_that_is_set(flow):
    endpoint = Endpoint(completion("x"))
    settings = workflow(context=Context(compression=Compression(deduplicate=True, clean=True)))
    spans = []

    await ask(flow(settings, endpoint.client()), spans=spans)

    assert "compress" in nodes(spans)


async def test_a_request_never_uses_more_than_its_budget(flow):
    endpoint = Endpoint(completion("still", calls=[SUM]))
    settings = TOOL_FIRST.model_copy(
        update={"budget": TOOL_FIRST.budget.model_copy(update={"steps": 2})}
    )

    answer = await ask(flow(settings, endpoint.client()))

    assert [each["tool_choice"] for each in endpoint.requests] == ["auto", "none"]
    assert (answer.text, answer.degraded) == ("still", ("no_tools",))
