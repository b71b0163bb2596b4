import asyncio
import ssl
import subprocess
import time
from contextlib import asynccontextmanager
from datetime import date
from random import Random

import openai
import pytest

from engine.config.model import Resilience
from engine.config.workflow import Llm
from engine.workflow.model.breaker import Breakers
from engine.workflow.model.client import Client, Kept
from engine.workflow.model.prices import Price, PriceList, Profile
from engine.workflow.model.transport import upstream
from engine.workflow.run import Run
from engine.workflow.spans import Timeline
from tests.engine.workflow.model.server import serving

HELLO = [{"role": "user", "content": "hello"}]
DEAR = Price(since=date(2020, 1, 1), input_usd=1.0, output_usd=2.0)
PRICES = PriceList(models={"usual": Profile(tier="usual", prices=(DEAR,))})


class Place:
    """A client, the server that it asks, and one request."""

    def __init__(self, server, client, breakers, deadline_s, budget):
        self.server, self.client, self.breakers = server, client, breakers
        self.spans = []
        more = {"budget": budget} if budget else {}
        self.run = Run("r-1", time.monotonic() + deadline_s, Timeline(self.spans), **more)
        self.heard = []

    async def ask(self, **more):
        return await self.client.ask(HELLO, self.run, node="qa_agent", **more)

    async def listen(self, **more):
        return await self.ask(on_text=self.heard.append, **more)


def given(http):
    """A client from outside, over this HTTP library."""

    def opened(base_url, api_key):
        return openai.AsyncOpenAI(
            base_url=base_url, api_key=api_key, max_retries=0, http_client=http()
        )

    return opened


WAYS = {
    "lean": upstream,
    "aiohttp": given(openai.DefaultAioHttpClient),
    "httpx2": given(openai.DefaultAsyncHttpx2Client),
}


@pytest.fixture(params=WAYS)
def place(request):
    """Over our own line and over clients from outside, which name failures differently."""

    @asynccontextmanager
    async def made(*answers, deadline_s=5.0, budget=None, remembered=None, llm=None, **settings):
        settings = {"retry": {"base_s": 0.01}} | settings
        resilience = Resilience.model_validate(settings)
        breakers = Breakers(resilience.breaker)
        more = {"remembered": remembered} if remembered else {}
        kept = Kept(breakers, PRICES, dice=Random(1), **more)
        async with serving(*answers) as server:
            endpoint = WAYS[request.param](server.base_url, "none")
            async with endpoint, asyncio.timeout(10.0):
                client = Client(endpoint, Llm(name="usual", **(llm or {})), resilience, kept)
                yield Place(server, client, breakers, deadline_s, budget)

    return made


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A key and a certificate for 127.0.0.1, in one file."""
    folder = tmp_path_factory.mktemp("certificate")
    file = folder / "certificate.pem"
    subject = ["-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run(
        [*command, "-keyout", file, "-out", f"{file}.crt"],
        check=True,
        timeout=30,
        capture_output=True,
    )
    file.write_bytes(file.read_bytes() + (folder / f"{file}.crt").read_bytes())
    return file


@pytest.fixture
def tls(certificate):
    """What a server needs to speak TLS with that certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context
