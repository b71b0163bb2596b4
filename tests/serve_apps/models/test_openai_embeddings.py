"""`/v1/embeddings` and `/v1/models` as the stock client meets them, over a real socket."""

import base64
import json
import socket
import threading
import time

import numpy as np
import openai
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from engine.config.embedding import PACKAGED, EmbeddingModel, Embeddings
from engine.errors import ConfigError, NotFoundError
from engine.workflow.embeddings.models import Models
from serve_apps.models.listing import Listed, model_body, models_body
from serve_apps.models.openai_embeddings import embeddings_body, texts_of, written

LISTED = [Listed("support", 1_700_000_000), Listed(PACKAGED, 1_700_000_000)]


def refusal(error):
    status, code = (404, "not_found") if isinstance(error, NotFoundError) else (400, "invalid")
    kind = "not_found_error" if status == 404 else "invalid_request_error"
    body = {"error": {"message": str(error), "type": kind, "code": code, "param": None}}
    return JSONResponse(body, status)


def app():
    words = EmbeddingModel(kind="words")
    models = Models(Embeddings(models={PACKAGED: EmbeddingModel(), "words": words}))

    async def embed(model, texts):
        vectors = (await models.encode(model, texts)).vectors
        return vectors, await models.tokens(model, texts)

    async def embeddings(request):
        try:
            return JSONResponse(await embeddings_body(json.loads(await request.body()), embed))
        except (ConfigError, NotFoundError) as error:
            return refusal(error)

    async def listing(request):
        return JSONResponse(models_body(LISTED))

    async def one(request):
        try:
            return JSONResponse(model_body(request.path_params["id"], LISTED))
        except NotFoundError as error:
            return refusal(error)

    routes = [
        Route("/v1/embeddings", embeddings, methods=["POST"]),
        Route("/v1/models", listing),
        Route("/v1/models/{id}", one),
    ]
    return Starlette(routes=routes)


@pytest.fixture(scope="module")
def url():
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app(), log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def client(url):
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as made:
        yield made


def test_a_text_has_a_unit_vector(client):
    answer = client.embeddings.create(model="words", input="How do I sort a list?")

    (found,) = answer.data
    assert (found.index, found.object, len(found.embedding)) == (0, "embedding", 384)
    assert np.linalg.norm(found.embedding) == pytest.approx(1.0, abs=1e-5)
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 7


@pytest.mark.parametrize("form", ["float", "base64"])
def test_both_ways_of_writing_say_the_same(client, form):
    usual = client.embeddings.create(model="words", input=["one", "two"])

    said = client.embeddings.create(model="words", input=["one", "two"], encoding_format=form)

    for one, other in zip(usual.data, said.data, strict=True):
        vector = other.embedding
        if isinstance(vector, str):
            vector = np.frombuffer(base64.b64decode(vector), "<f4")
        np.testing.assert_array_equal(np.float32(one.embedding), np.float32(vector))


def test_the_rows_are_in_the_order_of_the_texts(client):
    texts = ["apple", "a much longer text about something else", "apple"]

    vectors = [each.embedding for each in client.embeddings.create(model="words", input=texts).data]

    assert vectors[0] == vectors[2] != vectors[1]


async def test_the_asynchronous_client_is_answered_too(url):
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        answer = await client.embeddings.create(model="words", input=["one", "two"])
        listed = [model.id async for model in client.models.list()]

    assert len(answer.data) == 2
    assert listed == ["support", PACKAGED]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"input": [1, 2, 3]}, "tokens"),
        ({"input": [[1, 2], [3]]}, "tokens"),
        ({"input": ""}, "isn't empty"),
        ({"input": []}, "one at least"),
        ({"input": ["a"] * 2_049}, "2048"),
        ({"input": "a", "dimensions": 128}, "gives 384"),
        ({"input": "a", "encoding_format": "int8"}, "base64"),
    ],
)
def test_what_can_not_be_done_is_refused_with_its_reason(client, asked, why):
    with pytest.raises(openai.BadRequestError, match=why):
        client.embeddings.create(model="words", **asked)


def test_its_own_dimensions_may_be_asked_for(client):
    answer = client.embeddings.create(model="words", input="a", dimensions=384)

    assert len(answer.data[0].embedding) == 384


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(openai.NotFoundError, match="word"):
        client.embeddings.create(model="wrods", input="a")


def test_models_are_listed_and_told_of_one_by_one(client):
    assert [model.id for model in client.models.list()] == ["support", PACKAGED]
    assert client.models.retrieve("support").owned_by == "trimtab"
    with pytest.raises(openai.NotFoundError, match="support"):
        client.models.retrieve("suport")


@given(st.lists(st.floats(-1.0, 1.0, width=32), min_size=1, max_size=20))
def test_base64_is_exact(numbers):
    vector = np.array(numbers, np.float32)

    read = np.frombuffer(base64.b64decode(written(vector, "base64")), "<f4")

    np.testing.assert_array_equal(read, np.float32(written(vector, "float")))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=9))
def test_an_input_is_texts_or_is_refused(said):
    try:
        texts = texts_of(said)
    except ConfigError:
        return

    assert texts
    assert all(isinstance(text, str) and text for text in texts)
