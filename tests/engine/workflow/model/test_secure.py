import asyncio
import contextlib
import ssl

import pytest

from engine.workflow.failure import LlmError
from engine.workflow.model.lean import trusted
from engine.workflow.model.transport import upstream
from tests.engine.workflow.endpoint import completion
from tests.engine.workflow.model.proxy import proxying
from tests.engine.workflow.model.server import serving, streamed, whole

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


@contextlib.asynccontextmanager
async def endpoint(base_url):
    async with upstream(base_url, "a-key") as opened, asyncio.timeout(20.0):
        yield opened


@pytest.fixture
def known(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


async def test_a_certificate_that_nobody_vouches_for_is_refused(tls):
    async with serving(whole(), tls=tls) as server, endpoint(server.base_url) as opened:
        failures = []
        for line in (opened.lean, opened.line):
            with pytest.raises(LlmError) as caught:
                await line.whole(QUESTION)
            failures.append(caught.value)

    assert [failure.code for failure in failures] == ["upstream_unreachable"] * 2
    assert server.requests == []


async def test_a_certificate_of_a_named_authority_is_accepted(tls, known):
    async with serving(whole("hi"), tls=tls) as server, endpoint(server.base_url) as opened:
        answers = [await line.whole(QUESTION) for line in (opened.lean, opened.line)]

    assert answers == [completion("hi")] * 2


async def test_an_endpoint_without_http2_is_asked_the_lean_way_from_its_first_answer_on(tls, known):
    answers = (whole("a"), whole("b"), streamed("c"))
    async with serving(*answers, tls=tls) as server, endpoint(server.base_url) as opened:
        for _ in range(2):
            await opened.line.whole(QUESTION)
        pieces = [piece async for piece in opened.line.pieces(QUESTION)]

    assert len(pieces) == 3
    assert ["x-stainless-lang" in head for head in server.heads] == [True, False, False]
    assert server.connections == 2


async def test_older_tls_than_1_2_is_not_spoken(certificate, tls, known):
    # OpenSSL itself speaks the old versions only at its lowest level of security.
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(whole(), tls=tls) as server, endpoint(server.base_url) as opened:
        with pytest.raises(LlmError) as caught:
            await opened.lean.whole(QUESTION)

    assert caught.value.code == "upstream_unreachable"
    assert trusted().minimum_version == ssl.TLSVersion.TLSv1_2


async def test_http_goes_through_the_proxy_that_is_named(monkeypatch):
    async with serving(whole("hi")) as server, proxying() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with endpoint(server.base_url) as opened:
            answer = await opened.line.whole(QUESTION)

    [head] = proxy.heads
    assert answer == completion("hi")
    assert head.startswith(f"post {server.base_url}/chat/completions ")


async def test_https_goes_through_a_tunnel_that_reads_nothing(tls, known, monkeypatch):
    async with serving(whole("hi"), tls=tls) as server, proxying() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        async with endpoint(server.base_url) as opened:
            answers = [await line.whole(QUESTION) for line in (opened.lean, opened.line)]

    there = server.base_url.removeprefix("https://").removesuffix("/v1")
    assert answers == [completion("hi")] * 2
    assert [head.startswith(f"connect {there} ") for head in proxy.heads] == [True, True]
    assert not any("a-key" in head for head in proxy.heads)


async def test_a_proxy_is_told_its_own_credentials(monkeypatch):
    async with serving(whole("hi")) as server, proxying() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//me:secret@"))
        async with endpoint(server.base_url) as opened:
            await opened.line.whole(QUESTION)

    assert "proxy-authorization: basic bwu6c2vjcmv0" in proxy.heads[0]


@pytest.mark.parametrize("left_out", ["127.0.0.1", "*"])
async def test_what_no_proxy_names_is_asked_directly(left_out, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", left_out)
    async with serving(whole("hi")) as server, endpoint(server.base_url) as opened:
        answer = await opened.line.whole(QUESTION)

    assert answer == completion("hi")


async def test_a_proxy_that_is_not_there_makes_the_endpoint_unreachable(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "127.0.0.1:1")
    async with endpoint("http://models.invalid/v1") as opened:
        with pytest.raises(LlmError) as caught:
            await opened.line.whole(QUESTION)

    assert caught.value.code == "upstream_unreachable"
