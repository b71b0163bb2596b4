import asyncio
import contextlib
import json
import ssl

import openai
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

from engine.workflow.model.transport import line_of, upstream
from tests.engine.workflow.endpoint import completion
from tests.engine.workflow.model.server import refusal, serving, whole

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


async def asked(base_url, times=1):
    async with upstream(base_url, "a-key") as client:
        return [await client.chat.completions.create(**QUESTION) for _ in range(times)]


async def test_the_key_travels_in_the_request():
    async with serving(whole("hi")) as server:
        [answer] = await asked(server.base_url)

    assert answer.choices[0].message.content == "hi"
    assert "authorization: bearer a-key" in server.heads[0]


async def test_the_client_never_retries_by_itself():
    async with serving(refusal(503)) as server:
        with pytest.raises(Exception, match="503"):
            await asked(server.base_url)

    assert len(server.requests) == 1


async def test_a_client_from_outside_is_used_as_it_is():
    async with (
        serving(refusal(503), whole("hi")) as server,
        openai.AsyncOpenAI(
            base_url=server.base_url,
            api_key="another",
            max_retries=1,
            default_headers={"x-theirs": "yes"},
        ) as client,
    ):
        answer = await line_of(client).whole(QUESTION)

    assert answer == completion("hi")
    assert [head.count("x-theirs: yes") for head in server.heads] == [1, 1]
    assert "authorization: bearer another" in server.heads[0]


async def test_our_own_line_tells_nothing_about_this_machine():
    async with serving(whole("hi")) as server, upstream(server.base_url, "a-key") as client:
        await line_of(client).whole(QUESTION)

    assert "authorization: bearer a-key" in server.heads[0]
    assert "content-type: application/json" in server.heads[0]
    assert "stainless" not in server.heads[0]


async def test_a_proxy_that_the_environment_names_is_asked(monkeypatch):
    async with serving(whole("hi")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url.removesuffix("/v1"))
        await asked("http://models.invalid/v1")

    assert proxy.heads[0].startswith("post http://models.invalid/v1/chat/completions ")


async def speak_http2(reader, writer):
    connection = H2Connection(H2Configuration(client_side=False))
    connection.initiate_connection()
    writer.write(connection.data_to_send())
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while received := await reader.read(65_536):
            for event in connection.receive_data(received):
                if isinstance(event, StreamEnded):
                    headers = [(":status", "200"), ("content-type", "application/json")]
                    body = json.dumps(completion("hi")).encode()
                    connection.send_headers(event.stream_id, headers)
                    connection.send_data(event.stream_id, body, end_stream=True)
            writer.write(connection.data_to_send())
    writer.close()


async def test_an_endpoint_that_offers_http2_is_asked_over_one_connection(certificate, monkeypatch):
    spoken = []

    async def serve(reader, writer):
        spoken.append(writer.get_extra_info("ssl_object").selected_alpn_protocol())
        await speak_http2(reader, writer)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]

    answers = await asked(f"https://127.0.0.1:{port}/v1", times=3)
    server.close()

    assert [answer.choices[0].message.content for answer in answers] == ["hi"] * 3
    assert spoken == ["h2"]
