import asyncio

import httpx2
import openai

from serve_apps.gateway.asgi import Stream, send_stream
from serve_apps.gateway.beats import STILL_HERE, beating
from tests.serve_apps.gateway.ground import listening

CHUNK = (
    b'data: {"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":[]}\n\n'
)
DONE = b"data: [DONE]\n\n"


def streaming(*pauses, beat_s=0.02):
    """An application that pauses before each of its pieces."""

    async def pieces():
        for pause_s in pauses:
            await asyncio.sleep(pause_s)
            yield CHUNK
        yield DONE

    async def app(scope, receive, send):
        await send_stream(Stream(pieces(), {}), receive, send, 5.0, beat_s)

    return app


async def test_a_stream_that_has_nothing_to_tell_says_that_it_is_still_there():
    async with listening(streaming(0.0, 0.2)) as url, httpx2.AsyncClient() as http:
        said = (await http.get(url)).content

    assert STILL_HERE in said
    assert said.replace(STILL_HERE, b"") == CHUNK + CHUNK + DONE
    assert said.startswith(CHUNK)


async def test_a_stream_that_tells_something_says_nothing_else():
    async with listening(streaming(0.0, 0.0, beat_s=1.0)) as url, httpx2.AsyncClient() as http:
        said = (await http.get(url)).content

    assert said == CHUNK + CHUNK + DONE


async def test_the_stock_client_passes_over_what_says_nothing():
    async with (
        listening(streaming(0.0, 0.1)) as url,
        openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client,
    ):
        stream = await client.chat.completions.create(
            model="m", messages=[{"role": "user", "content": "why?"}], stream=True
        )
        chunks = [chunk async for chunk in stream]

    assert [chunk.id for chunk in chunks] == ["1", "1"]


async def test_nothing_is_said_after_the_end():
    sent = []

    async def send(message):
        sent.append(message)

    async with beating(send, 0.01) as tell:
        await tell({"type": "http.response.body", "body": b""})
        await asyncio.sleep(0.05)

    assert len(sent) == 1


async def test_nothing_comes_between_while_a_client_takes_its_time():
    sent, taken = [], asyncio.Event()

    async def send(message):
        sent.append(message)
        await taken.wait()

    async with beating(send, 0.01) as tell:
        telling = asyncio.ensure_future(tell({"body": CHUNK, "more_body": True}))
        await asyncio.sleep(0.05)
        assert len(sent) == 1
        taken.set()
        await telling
