"""The first path: gateway, split, exposure, slot, graph, trace, answer."""

import json
import time

import httpx2
import openai
import polars as pl
import pytest
from websockets.sync.client import connect

from engine.books.store import Store
from engine.experiment.variant import variant_of

pytestmark = pytest.mark.serve

QUESTION = "Which exception does the assert statement raise when its condition is false?"


@pytest.fixture
def client(served):
    return openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0)


@pytest.fixture
def http(served):
    with httpx2.Client(base_url=served.url, timeout=30) as http:
        yield http


def ask(client, conversation=None, **more):
    headers = {"x-trimtab-conversation": conversation} if conversation else {}
    return client.chat.completions.with_raw_response.create(
        model="docs-qa",
        messages=[{"role": "user", "content": QUESTION}],
        extra_headers=headers,
        **more,
    )


def stored(served, kind, column, value, timeout_s=10.0):
    give_up = time.monotonic() + timeout_s
    while time.monotonic() < give_up:
        rows = Store(served.root).read(kind).filter(pl.col(column) == value)
        if rows.height:
            return rows
        time.sleep(0.2)
    raise AssertionError(f"{kind} {value} was acknowledged but is not in the store")


def test_the_stock_openai_client_gets_an_answer_from_the_workflow(client):
    raw = ask(client)
    answer = raw.parse()

    assert answer.choices[0].message.content
    assert answer.usage.total_tokens > 0
    assert raw.headers["x-trimtab-variant"]
    assert float(raw.headers["x-trimtab-overhead-ms"]) >= 0


def test_an_acknowledged_answer_has_its_exposure_and_its_trace_in_the_store(served, client):
    raw = ask(client)
    trace_id = raw.headers["x-trimtab-trace-id"]

    trace = stored(served, "trace", "trace_id", trace_id).row(0, named=True)
    exposure = stored(served, "exposure", "trace_id", trace_id).row(0, named=True)

    assert trace["status"] == "ok"
    assert trace["variant"] == exposure["variant"] == raw.headers["x-trimtab-variant"]
    assert exposure["variant"] == variant_of(served.workflow).hash
    assert "retrieve" in trace["spans"]


def test_a_conversation_is_one_unit(served, client):
    first = ask(client)
    conversation = first.headers["x-trimtab-conversation"]
    second = ask(client, conversation)

    traces = [raw.headers["x-trimtab-trace-id"] for raw in (first, second)]
    units = {stored(served, "exposure", "trace_id", one)["unit_id"][0] for one in traces}

    assert len(units) == 1
    assert second.headers["x-trimtab-conversation"] == conversation


def test_a_streamed_answer_comes_in_pieces_and_is_traced(served, client):
    raw = client.chat.completions.with_raw_response.create(
        model="docs-qa",
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": True},
    )
    *chunks, last = list(raw.parse())

    pieces = [c.choices[0].delta.content for c in chunks if c.choices[0].delta.content]
    trace = stored(served, "trace", "trace_id", raw.headers["x-trimtab-trace-id"])
    assert len(pieces) > 1
    assert last.usage.total_tokens > 0
    assert trace["status"].to_list() == ["ok"]


def test_a_websocket_tells_a_run_as_it_happens(served):
    url = served.url.replace("http", "ws") + "/v1/workflows/docs-qa/run"

    with connect(url) as socket:
        socket.send(json.dumps({"input": QUESTION}))
        events = [json.loads(socket.recv())]
        while events[-1]["event"] not in ("done", "error"):
            events.append(json.loads(socket.recv()))

    assert [events[0]["event"], events[1]["event"]] == ["begun", "plan"]
    assert events[-1]["data"]["output"]


def test_the_models_and_their_vectors_are_offered(client):
    names = [model.id for model in client.models.list()]
    vectors = client.embeddings.create(model="all-MiniLM-L6-v2", input=["one", "two"])

    assert {"docs-qa", "all-MiniLM-L6-v2"} <= set(names)
    assert [len(one.embedding) for one in vectors.data] == [384, 384]


def test_the_native_route_answers_the_same_workflow(http):
    answer = http.post("/v1/workflows/docs-qa/run", json={"input": QUESTION})

    assert answer.status_code == 200
    assert answer.json()["output"]
    assert answer.json()["trace_id"] == answer.headers["x-trimtab-trace-id"]


def test_feedback_is_stored_once_and_a_conflict_is_told(served, client, http):
    trace_id = ask(client).headers["x-trimtab-trace-id"]
    body = {"trace_id": trace_id, "score": 1.0, "idempotency_key": f"key-{trace_id[:8]}"}

    statuses = [http.post("/v1/feedback", json=body).json()["status"] for _ in range(2)]
    conflict = http.post("/v1/feedback", json=body | {"score": 0.0})

    assert statuses == ["stored", "duplicate"]
    assert conflict.status_code == 409
    assert stored(served, "feedback", "trace_id", trace_id).height == 1


def test_feedback_in_a_batch_is_answered_item_by_item(client, http):
    trace_id = ask(client).headers["x-trimtab-trace-id"]
    items = [{"trace_id": trace_id, "score": 0.5}, {"trace_id": "made-up", "score": 1.0}, 7]

    answer = http.post("/v1/feedback", json={"items": items})

    assert [item["status"] for item in answer.json()["items"]] == ["stored", "refused", "refused"]


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        ("/v1/chat/completions", b"{", 400, "JSON"),
        ("/v1/chat/completions", b'{"model": "docs-qa"}', 400, "messages"),
        ("/v1/chat/completions", b'{"model": "other", "messages": []}', 400, "messages"),
        (
            "/v1/chat/completions",
            b'{"model": "other", "messages": [{"role": "user", "content": "?"}]}',
            404,
            "docs-qa",
        ),
        (
            "/v1/chat/completions",
            b'{"model": "docs-qa", "stream": 1, "messages": [{"role": "user", "content": "?"}]}',
            400,
            "stream",
        ),
        ("/v1/feedback", b'{"trace_id": "x", "score": 1}', 404, "never given out"),
        ("/v1/nothing", b"{}", 404, "nothing at"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(http, path, body, status, word):
    answer = http.post(path, content=body)

    assert answer.status_code == status
    assert word in answer.json()["error"]["message"]


def test_an_unknown_workflow_raises_the_clients_own_not_found(client):
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="other", messages=[{"role": "user", "content": "?"}])


def test_forced_assignment_to_an_unknown_variant_is_refused(http):
    body = {"model": "docs-qa", "messages": [{"role": "user", "content": QUESTION}]}

    answer = http.post(
        "/v1/chat/completions", json=body, headers={"x-trimtab-variant": "000000000000"}
    )

    assert answer.status_code == 404


def test_the_gateway_says_that_it_is_well(http):
    assert http.get("/healthz").json()["status"] == "ok"
