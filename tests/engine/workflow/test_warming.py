"""A variant is warmed up without anyone noticing: nothing asked, nothing remembered."""

import asyncio
import contextlib
import ssl
import time

import numpy as np
import pytest

from engine.config.workflow import Workflow
from engine.workflow.answer import Asked
from engine.workflow.building import Shared, flow_of
from engine.workflow.warming import TEXT, primed, warmed
from tests.cluster.certificates import certificate
from tests.engine.workflow.endpoint import Endpoint, completion


class Texts:
    """Encodes flatly and keeps what it was asked."""

    def __init__(self, *, fails=False):
        self.asked = []
        self.fails = fails

    async def __call__(self, texts):
        if self.fails:
            raise RuntimeError("the encoder is gone")
        self.asked += texts
        return np.ones((len(texts), 384), dtype=np.float32) / np.sqrt(384.0, dtype=np.float32)


@pytest.fixture
def docs(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("Iron rusts. Gold does not.")
    return folder


def answers(docs, **rag):
    said = {"workflow": "w", "rag": {"corpus": f"folder:{docs}"} | rag}
    return Workflow.model_validate(said)


async def built(workflow, tmp_path, texts, endpoint):
    shared = Shared(tmp_path, texts, {}, "none", endpoint.client())
    flow = await flow_of(workflow, shared, "v")
    texts.asked.clear()
    return shared, flow


async def test_the_index_is_searched_and_the_model_not_asked(tmp_path, docs):
    texts, endpoint = Texts(), Endpoint(completion("x"))
    workflow = answers(docs, rewrite={"follow_ups": "model", "queries": 3})
    shared, flow = await built(workflow, tmp_path, texts, endpoint)

    await warmed(workflow, shared)

    assert texts.asked == [TEXT]
    assert endpoint.requests == []
    await flow.close()


async def test_the_variant_does_not_remember_it(tmp_path, docs):
    texts, endpoint = Texts(), Endpoint(completion("x"))
    workflow = answers(docs)
    shared, flow = await built(workflow, tmp_path, texts, endpoint)

    await warmed(workflow, shared)
    asked = Asked("r", [{"role": "user", "content": TEXT}], time.monotonic() + 5.0)
    answer = await flow.answer(asked)

    assert not answer.cache_hit
    assert texts.asked == [TEXT, TEXT]
    await flow.close()


async def test_what_others_were_asked_is_known_from_the_first_question_on(tmp_path, docs):
    async def recent():
        return [TEXT], np.ones((1, 384), dtype=np.float32) / np.sqrt(384.0, dtype=np.float32)

    texts = Texts()
    workflow = answers(docs)
    shared, flow = await built(workflow, tmp_path, texts, Endpoint(completion("x")))
    shared.recent = recent

    await warmed(workflow, shared)
    texts.asked.clear()
    await flow.answer(Asked("r", [{"role": "user", "content": TEXT}], time.monotonic() + 5.0))

    assert texts.asked == []
    await flow.close()


async def test_what_fails_is_left_to_the_first_question(tmp_path, docs):
    texts = Texts()
    workflow = answers(docs)
    shared, flow = await built(workflow, tmp_path, texts, Endpoint(completion("x")))
    texts.fails = True

    await warmed(workflow, shared)
    await primed(shared, [])
    texts.fails = False
    answer = await flow.answer(
        Asked("r", [{"role": "user", "content": TEXT}], time.monotonic() + 5.0)
    )

    assert answer.text == "x"
    await flow.close()


async def test_a_process_is_primed_with_what_its_variants_share(tmp_path):
    texts = Texts()
    shared = Shared(tmp_path, texts, {"up": "http://127.0.0.1:9/v1"}, "none")

    await primed(shared, ["up"])

    assert texts.asked == [TEXT]
    assert "prices" in vars(shared)
    await shared.client_at("up").close()


async def test_the_first_question_to_a_remote_endpoint_finds_a_connection(tmp_path, monkeypatch):
    async with remote(tmp_path) as (url, cert, opened, heads):
        monkeypatch.setenv("SSL_CERT_FILE", cert)
        shared = Shared(tmp_path, Texts(), {}, "none")
        graph = {"nodes": {"a": {"type": "model", "say": "hi"}}, "output": "a.text"}
        workflow = Workflow.model_validate(
            {"workflow": "w", "llm": {"base_url": url}, "graph": graph}
        )

        await warmed(workflow, shared)
        await shared.client_at(url).get("/again", cast_to=object)

        assert heads == ["GET /v1/models HTTP/1.1", "GET /v1/again HTTP/1.1"]
        assert len(opened) == 1
        await shared.client_at(url).close()


@contextlib.asynccontextmanager
async def remote(folder):
    """An https endpoint that answers everything with an empty object."""
    cert, key = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    opened, heads = [], []

    async def serve(reader, writer):
        opened.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                heads.append(head.decode().splitlines()[0])
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                    b"content-length: 2\r\n\r\n{}"
                )
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"https://127.0.0.1:{port}/v1", cert, opened, heads
