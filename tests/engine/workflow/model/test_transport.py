import asyncio
import contextlib
import json
import ssl
import subprocess

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import StreamEnded

from engine.workflow.model.transport import upstream
from tests.engine.workflow.endpoint import completion
from tests.engine.workflow.model.server import refusal, serving, whole

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


async def asked(base_url, times=1):
    async with upstream(base_url, "a-key") as client:
        return [await client.chat.completions.create(**QUESTION) for _ in range(times)]


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


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


async def test_a_proxy_that_the_environment_names_is_asked(monkeypatch):
    async with serving(whole("hi")) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.base_url.removesuffix("/v1"))
        await asked("http://models.invalid/v1")

    assert proxy.heads[0].startswith("post http://models.invalid/v1/chat/completions ")


@pytest.fixture
def certificate(tmp_path):
    """A key and a certificate for 127.0.0.1, in one file."""
    file = tmp_path / "certificate.pem"
    subject = ["-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", file, "-out", f"{file}.crt"], check=True, timeout=30)
    file.write_bytes(file.read_bytes() + (tmp_path / f"{file}.crt").read_bytes())
    return file


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
