"""Opens the connections to a model's endpoint, and chooses what carries its questions.

Chat completions over HTTP/1.1 are posted by `lean`, which takes a fifth of the openai client's
processor time; where an https endpoint speaks HTTP/2 they stay with that client, over httpx2. All
go through the proxies that HTTP_PROXY, HTTPS_PROXY and NO_PROXY name, and trust the certificates
that SSL_CERT_FILE holds.
"""

from collections.abc import AsyncGenerator
from functools import cached_property

import openai
from openai import AsyncOpenAI

from engine.workflow.model.lean import Lean, trusted
from engine.workflow.model.line import Line, Request
from engine.workflow.model.stock import Stock

TIMEOUTS = openai.Timeout(connect=5.0, read=300.0, write=30.0, pool=5.0)
"""The outermost limits; a call's own limit ends it earlier, whatever it waits for."""


class Upstream(AsyncOpenAI):
    """The openai client of an endpoint, with a leaner way for its chat completions."""

    @cached_property
    def lean(self) -> Lean:
        """What posts over HTTP/1.1, with this client's address, key and headers."""
        headers = {**self.default_headers, **self.auth_headers}
        said = {name: value for name, value in headers.items() if isinstance(value, str)}
        # What the stock client tells about this machine is nobody's need.
        needed = {n: value for n, value in said.items() if not n.lower().startswith("x-stainless")}
        return Lean(str(self.base_url), needed)

    @cached_property
    def line(self) -> Line:
        """What carries the chat completions."""
        is_secure = self.base_url.scheme == "https"
        return _Negotiated(Stock(self), self.lean) if is_secure else self.lean

    async def close(self) -> None:
        """Close every connection."""
        await super().close()
        if "lean" in self.__dict__:
            await self.lean.close()


class _Negotiated:
    """An https endpoint: the stock client's while that speaks HTTP/2 with it, else the lean one's.

    The first answer tells which it is.
    """

    def __init__(self, stock: Stock, lean: Lean) -> None:
        self._stock = stock
        self._lean = lean

    @property
    def _line(self) -> Line:
        return self._lean if self._stock.spoke.startswith("HTTP/1") else self._stock

    async def whole(self, request: Request) -> object:
        return await self._line.whole(request)

    def pieces(self, request: Request) -> AsyncGenerator[object, None]:
        return self._line.pieces(request)


def line_of(client: AsyncOpenAI) -> Line:
    """What carries a client's chat completions: one that was given from outside does it itself."""
    return client.line if isinstance(client, Upstream) else Stock(client)


def upstream(base_url: str, api_key: str) -> Upstream:
    """A client of this endpoint that never retries by itself; whoever opens it closes it.

    It keeps as many connections as the openai client does by default, 1000 at once.
    """
    http = (
        openai.DefaultAsyncHttpx2Client(http2=True, timeout=TIMEOUTS, verify=trusted())
        if base_url.lower().startswith("https:")
        else openai.DefaultAioHttpClient(timeout=TIMEOUTS)
    )
    return Upstream(
        base_url=base_url, api_key=api_key, max_retries=0, timeout=TIMEOUTS, http_client=http
    )
