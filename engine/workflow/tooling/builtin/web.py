"""Asks hosts of the allow-list over HTTP, within limits of size, time and redirects."""

import asyncio
import os
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import aiohttp
from pydantic import JsonValue
from yarl import URL

from engine.config.tools import Http
from engine.errors import ConfigError
from engine.workflow.failure import ToolError
from engine.workflow.tooling.builtin.egress import Egress, Resolver, is_inside

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
CHUNK = 1 << 16
READABLE = ("text/", "application/json", "application/xml", "application/x-ndjson")
SUFFIXES = ("+json", "+xml")
REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Page:
    """What a host answered."""

    url: str
    status: int
    kind: str
    """The content type, without parameters."""
    text: str
    cut: bool
    """There was more than may be read."""


class Web:
    """A client for one set of tools; an async context manager, made where it is used."""

    def __init__(self, settings: Http) -> None:
        self._settings = settings
        self._egress = Egress(settings)
        self._headers = {key.host.lower(): (key.header, _secret(key.env)) for key in settings.keys}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=Resolver(self._egress), use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "trimtab", "Accept-Encoding": "gzip, deflate"},
            # A proxy of the environment would resolve names by itself, past the allow-list.
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def ask(self, method: Method, url: str, body: JsonValue = None) -> Page:
        """One request; only a GET follows redirects, each of which is checked like the first.

        Raises:
            ToolError: The address is refused, the host failed, or what it sent can't be read.
        """
        here = _url(url)
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                for _ in range(self._settings.max_redirects + 1):
                    self._egress.admit(here)
                    answer = await self._once(method, here, body)
                    if isinstance(answer, Page):
                        return answer
                    here = answer
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ToolError(
                "tool_unreachable", f"{here.host}: {type(error).__name__}", action="retry"
            ) from error
        raise ToolError("tool_forbidden", f"more than {self._settings.max_redirects} redirects")

    async def _once(self, method: Method, url: URL, body: JsonValue) -> Page | URL:
        secret = self._headers.get(url.host or "")
        if secret and url.scheme != "https" and not is_inside(url.host or ""):
            raise ToolError("tool_forbidden", f"{url.host} takes a key, so write https")
        async with self._session.request(
            method,
            url,
            json=body,
            headers=dict([secret]) if secret else None,
            allow_redirects=False,
        ) as response:
            if response.status in REDIRECTS and "Location" in response.headers:
                return redirected(method, url, response.headers["Location"])
            _refuse_failure(response, url)
            kind = response.content_type
            if kind.startswith(READABLE) or kind.endswith(SUFFIXES):
                return await self._page(response, url)
            if method == "GET":
                raise ToolError("tool_unreadable", f"{url.host} sent {kind}, which is no text")
            # It was done, whatever the answer looks like.
            return Page(str(url), response.status, kind, "", cut=False)

    async def _page(self, response: aiohttp.ClientResponse, url: URL) -> Page:
        body, most = bytearray(), self._settings.max_bytes
        async for chunk in response.content.iter_chunked(CHUNK):
            body += chunk
            if len(body) > most:
                response.close()
                break
        text = bytes(body[:most]).decode(_charset(response), errors="replace")
        cut = len(body) > most
        return Page(str(url), response.status, response.content_type, text, cut=cut)


def redirected(method: Method, here: URL, location: str) -> URL:
    """Where a redirect leads, if it may be followed.

    Raises:
        ToolError: A change follows nobody, and nobody is followed out of https.
    """
    there = here.join(_url(location))
    if method != "GET":
        raise ToolError("tool_forbidden", f"redirected to {there.host}; a {method} follows nobody")
    if here.scheme == "https" and there.scheme != "https":
        raise ToolError("tool_forbidden", f"redirected from https to {there.scheme}")
    return there


def _refuse_failure(response: aiohttp.ClientResponse, url: URL) -> None:
    if response.status < 400:
        return
    passing = response.status == 429 or response.status >= 500
    after = response.headers.get("Retry-After", "")
    raise ToolError(
        "tool_http",
        f"{url.host} answered {response.status}",
        action="retry" if passing else "skip",
        retry_after_s=float(after) if after.isascii() and after.isdigit() else None,
    )


def _url(written: str) -> URL:
    try:
        return URL(written)
    except ValueError as error:
        raise ToolError("tool_arguments", f"{written[:200]!r} is no URL: {error}") from error


def _charset(response: aiohttp.ClientResponse) -> str:
    charset = response.charset or "utf-8"
    try:
        "".encode(charset)
    except LookupError:
        return "utf-8"
    return charset


def _secret(env: str) -> str:
    value = os.environ.get(env)
    if value is None:
        raise ConfigError(f"tools.http.keys: the environment has no {env}; set it")
    return value
