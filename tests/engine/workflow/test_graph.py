import json
import time

import httpx2
import numpy as np
import pytest

from engine.config.workflow import Llm, Node, Nodes, Rag, Rerank, Router, Workflow
from engine.errors import ConfigError, DeadlineError
from engine.workflow.chunks import Chunk
from engine.workflow.failure import LlmError
from engine.workflow.graph import MAX_TURNS, QaGraph
from engine.workflow.index import Index
from tests.engine.workflow.endpoint import Endpoint, completion

CHUNKS = [Chunk("a", f"Passage number {word}.") for word in ("one", "two", "three", "four")]
INDEX = Index(CHUNKS, np.eye(4, dtype=np.float32))
SUM = ("calculator", '{"expression": "2 + 3"}')


class North:
    """Every text points the same way: to the first chunk, then to the others in order."""

    def __init__(self):
        self.calls = 0

    async def __call__(self, texts):
        self.calls += 1
        return np.asarray([[0.9, 0.4, 0.2, 0.1]] * len(texts), dtype=np.float32)


def workflow(**changes):
    return Workflow(workflow="docs", prompts={"plain": "Be plain."}, **changes)


TOOL_FIRST = workflow(
    nodes=Nodes(qa_agent=Node(), qa_with_tool_agent=Node(default=True)), rag=Rag(top_k=1)
)


async def ask(graph, text="What is it?", before=(), spans=None, deadline_s=5.0):
    return await graph.answer(
        [*before, {"role": "user", "content": text}],
        deadline=time.monotonic() + deadline_s,
        spans=[] if spans is None else spans,
    )


async def test_the_llm_reads_the_prompt_the_best_chunks_and_the_question():
    endpoint = Endpoint(completion("an answer"))
    graph = QaGraph(workflow(rag=Rag(top_k=2)), INDEX, North(), endpoint.client())

    answer = await ask(graph)

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


async def test_reranking_reads_deeper_and_lifts_the_shared_word():
    endpoint = Endpoint(completion("x"))
    rag = Rag(top_k=1, rerank=Rerank(enabled=True, depth=4))
    spans = []

    await ask(QaGraph(workflow(rag=rag), INDEX, North(), endpoint.client()), "three?", spans=spans)

    assert "Passage number three." in endpoint.requests[0]["messages"][-1]["content"]
    assert [span["node"] for span in spans] == ["router", "retrieve", "rerank", "qa_agent"]


async def test_the_conversation_before_is_seen_and_cut_to_its_end():
    endpoint = Endpoint(completion("x"))
    before = [{"role": "user", "content": f"turn {n}"} for n in range(9)]

    await ask(QaGraph(workflow(), INDEX, North(), endpoint.client()), before=before)

    assert [m["content"] for m in endpoint.requests[0]["messages"][1:-1]] == [
        f"turn {n}" for n in range(3, 9)
    ]


async def test_a_tool_call_is_answered_with_its_result():
    endpoint = Endpoint(completion(calls=[SUM, SUM]), completion("It is 5."))
    spans = []

    answer = await ask(QaGraph(TOOL_FIRST, INDEX, North(), endpoint.client()), spans=spans)

    results = [m for m in endpoint.requests[1]["messages"] if m["role"] == "tool"]
    assert answer.text == "It is 5."
    assert (answer.input_tokens, answer.output_tokens) == (20, 10)
    assert [(m["tool_call_id"], m["content"]) for m in results] == [
        ("call_0", "5"),
        ("call_1", "5"),
    ]
    assert [span["node"] for span in spans][2:] == [
        "qa_with_tool_agent",
        "calculator",
        "calculator",
        "qa_with_tool_agent",
    ]


@pytest.mark.parametrize(
    "call",
    [
        ("calculator", "{"),
        ("calculator", "[]"),
        ("calculator", '{"expression": 3}'),
        ("calculator", '{"expression": "1", "more": 2}'),
        ("calculator", '{"expression": "__import__(\'os\')"}'),
        ("shell", '{"expression": "1"}'),
    ],
)
async def test_bad_arguments_go_back_to_the_llm_as_an_error(call):
    endpoint = Endpoint(completion(calls=[call]), completion("Sorry."))
    spans = []

    answer = await ask(QaGraph(TOOL_FIRST, INDEX, North(), endpoint.client()), spans=spans)

    assert answer.text == "Sorry."
    assert endpoint.requests[1]["messages"][-1]["content"].startswith("error: ")
    assert [span["error"] for span in spans if span["node"] == "calculator"] == ["tool_arguments"]


async def test_the_tool_loop_is_bounded_and_its_last_turn_has_no_tools():
    endpoint = Endpoint(completion("still", calls=[SUM]))

    answer = await ask(QaGraph(TOOL_FIRST, INDEX, North(), endpoint.client()))

    assert len(endpoint.requests) == MAX_TURNS
    assert [each["tool_choice"] for each in endpoint.requests] == ["auto", "auto", "none"]
    assert answer.text == "still"


async def test_a_question_is_embedded_once_for_each_variant():
    embed = North()
    client = Endpoint(completion("x")).client()
    one, other = (QaGraph(workflow(), INDEX, embed, client) for _ in range(2))

    first, again = await ask(one), await ask(one)
    elsewhere = await ask(other)

    assert (first.cache_hit, again.cache_hit, elsewhere.cache_hit) == (False, True, False)
    assert embed.calls == 2


async def test_a_failed_request_leaves_its_spans():
    endpoint = Endpoint(httpx2.Response(500, json={}))
    spans = []

    with pytest.raises(LlmError):
        await ask(QaGraph(workflow(), INDEX, North(), endpoint.client()), spans=spans)

    assert [(span["node"], span["status"], span["error"]) for span in spans] == [
        ("router", "ok", ""),
        ("retrieve", "ok", ""),
        ("qa_agent", "error", "upstream_5xx"),
    ]
    assert json.dumps(spans)


async def test_spans_follow_one_another_from_the_start():
    spans = []

    await ask(QaGraph(workflow(), INDEX, North(), Endpoint(completion("x")).client()), spans=spans)

    ends = [span["start_s"] + span["duration_s"] for span in spans]
    starts = [span["start_s"] for span in spans]
    assert all(start >= 0.0 for start in starts)
    assert all(end <= start + 1e-5 for end, start in zip(ends, starts[1:], strict=False))


async def test_a_late_vector_is_a_deadline():
    spans = []
    graph = QaGraph(workflow(), INDEX, North(), Endpoint(completion("x")).client())

    with pytest.raises(DeadlineError):
        await ask(graph, spans=spans, deadline_s=-1.0)

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
async def test_a_conversation_must_end_with_a_users_text(messages):
    graph = QaGraph(workflow(), INDEX, North(), Endpoint(completion("x")).client())

    with pytest.raises(ConfigError, match="messages"):
        await graph.answer(messages, deadline=time.monotonic() + 1.0, spans=[])


async def test_a_users_text_may_come_in_parts():
    endpoint = Endpoint(completion("x"))
    graph = QaGraph(workflow(), INDEX, North(), endpoint.client())
    parts = [{"type": "text", "text": "What is"}, {"type": "text", "text": "it?"}]

    await ask(graph, parts)

    assert endpoint.requests[0]["messages"][-1]["content"].endswith("Question: What is it?")


async def test_enough_numbers_lead_to_the_tool_agent():
    endpoint = Endpoint(completion("x"))
    settings = workflow(router=Router(tool_threshold=2), llm=Llm(temperature=0.0))
    graph = QaGraph(settings, INDEX, North(), endpoint.client())

    await ask(graph, "What is 2 + 3?")
    await ask(graph, "What is PEP 8?")

    assert ["tools" in each for each in endpoint.requests] == [True, False]
