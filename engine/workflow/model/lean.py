"""Posts questions over HTTP/1.1 with as little of the processor's time as can be.

The stock client spends four times what the exchange itself takes, most of it on types that nobody
here reads. What it knows of an endpoint, its address, key and headers, is taken from it.
"""

import asyncio
import contextlib
import io
import ssl
from collections.abc import AsyncGenerator, Iterator, Mapping
from functools import cached_property
from urllib.request import getproxies, proxy_bypass

import aiohttp
from yarl import URL

from engine.workflow.failure import LlmError
from engine.workflow.model.codes import failed, refused, told
from engine.workflow.model.events import END, Events
from engine.workflow.model.line import MOST_BYTES, STREAMED, Request, read, written

LIMITS = aiohttp.ClientTimeout(total=None, connect=10.0, sock_connect=5.0)
"""Until a call has its connection, a free place in the pool included; whoever calls limits the
rest, for it knows whether the answer is streamed."""

CONNECTIONS = 1_000
IDLE_S = 30.0
LAST_S = 0.05
"""For the end of a stream's body, after its last event: then the connection can be kept."""

_REFUSAL_BYTES = 64 << 10
_AT_ONCE_BYTES = 1 << 20
"""A longer request is handed to the connection in blocks."""

_BROKEN = (aiohttp.ClientError, OSError)


class Lean:
    """One endpoint's pool of connections, opened with the first call."""

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        """The headers go with every call, as does the key in them."""
        self._url = URL(base_url.rstrip("/") + "/chat/completions")
        # Credentials in the address take the key's place, and both at once are refused.
        both = self._url.user is not None
        self._headers = {
            name: value
            for name, value in headers.items()
            if not (both and name.lower() == "authorization")
        }

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        secure = self._url.scheme == "https"
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS, keepalive_timeout=IDLE_S, ssl=trusted() if secure else True
            ),
            timeout=LIMITS,
            cookie_jar=aiohttp.DummyCookieJar(),
            # Asked once: for every call, the environment would be read by another thread.
            proxy=proxy_of(self._url),
        )

    async def close(self) -> None:
        """Close every connection."""
        if "_session" in self.__dict__:
            await self._session.close()

    async def whole(self, request: Request) -> object:
        """As `Line.whole`; an answer longer than `MOST_BYTES` is given up."""
        model = request["model"]
        try:
            async with self._posted(request) as answer:
                if not answer.ok:
                    raise await _refusal(answer, model)
                content = await _content(answer, model)
        except _BROKEN as error:
            raise _unreachable(error, model) from error
        return read(content, model)

    async def pieces(self, request: Request) -> AsyncGenerator[object, None]:
        """As `Line.pieces`; a stream longer than `MOST_BYTES` is given up."""
        model = request["model"]
        begun = False
        try:
            async with self._posted(request | STREAMED) as answer:
                if not answer.ok:
                    raise await _refusal(answer, model)
                begun = True
                heard = _Heard(model)
                async for block in answer.content.iter_any():
                    for piece in heard.take(block):
                        yield piece
                    if heard.ended:
                        await _read_out(answer)
                        break
        except _BROKEN as error:
            if begun:
                raise failed("upstream_cut", f"{model}: {_named(error)}") from error
            raise _unreachable(error, model) from error

    def _posted(
        self, request: Request
    ) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
        body = written(request)
        data = body if len(body) < _AT_ONCE_BYTES else io.BytesIO(body)
        # With each call, not with the session, whose headers a tunnel's proxy would be told too.
        headers = self._headers | request.get("extra_headers", {})
        return self._session.post(self._url, data=data, headers=headers)


def trusted() -> ssl.SSLContext:
    """Whom an endpoint's certificate may come from: the system, or the file in SSL_CERT_FILE."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def proxy_of(url: URL) -> URL | None:
    """The proxy that HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY name for an address."""
    if proxy_bypass(f"{url.host}:{url.port}"):
        return None
    named = getproxies()
    proxy = named.get(url.scheme) or named.get("all")
    if not proxy:
        return None
    return URL(proxy if "://" in proxy else f"http://{proxy}")


async def _content(answer: aiohttp.ClientResponse, model: str) -> bytes:
    length = answer.content_length
    if length is not None and length > MOST_BYTES:
        raise _too_long(model)
    if length is not None and "content-encoding" not in answer.headers:
        return await answer.read()
    content = bytearray()
    async for block in answer.content.iter_any():
        content += block
        if len(content) > MOST_BYTES:
            raise _too_long(model)
    return bytes(content)


class _Heard:
    """What has been heard of one stream."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._events = Events()
        self._length = 0
        self.ended = False

    def take(self, block: bytes) -> Iterator[object]:
        self._length += len(block)
        if self._length > MOST_BYTES:
            raise _too_long(self._model)
        for said in self._events.take(block):
            if said == END:
                self.ended = True
                return
            piece = read(said, self._model)
            if isinstance(piece, dict) and (error := piece.get("error")):
                raise told(error, self._model)
            yield piece


async def _read_out(answer: aiohttp.ClientResponse) -> None:
    with contextlib.suppress(*_BROKEN):
        async with asyncio.timeout(LAST_S):
            await answer.content.readany()


async def _refusal(answer: aiohttp.ClientResponse, model: str) -> LlmError:
    content = b""
    with contextlib.suppress(*_BROKEN):
        async for block in answer.content.iter_any():
            content += block
            if len(content) > _REFUSAL_BYTES:
                break
    return refused(answer.status, answer.headers, content, model)


def _unreachable(error: Exception, model: str) -> LlmError:
    return failed("upstream_unreachable", f"{model}: {_named(error)}")


def _named(error: Exception) -> str:
    # Some of these exceptions say nothing but their name.
    return f"{type(error).__name__}: {error}"


def _too_long(model: str) -> LlmError:
    why = f"{model}: the answer is longer than {MOST_BYTES >> 20} MiB; it was not read on"
    return failed("upstream_malformed", why)
