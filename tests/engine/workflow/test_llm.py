import asyncio
import time

import httpx2
import pytest

from engine.config.workflow import Llm as Settings
from engine.errors import DeadlineError, UpstreamError
from engine.workflow.failure import LlmError
from engine.workflow.llm import Llm, Price
from engine.workflow.reply import Usage, total
from tests.engine.workflow.endpoint import Endpoint, completion

HELLO = [{"role": "user", "content": "hello"}]


async def ask(endpoint, *, settings=None, deadline_s=5.0, prices=None, **more):
    llm = Llm(endpoint.client(), settings or Settings(), prices)
    return await llm.ask(HELLO, deadline=time.monotonic() + deadline_s, **more)


async def test_the_settings_travel_in_the_request():
    endpoint = Endpoint(completion("hi"))
    settings = Settings(name="m", temperature=0.7, top_p=0.5, max_tokens=33)

    reply = await ask(endpoint, settings=settings)

    assert reply.text == "hi"
    assert reply.model == "a-model"
    assert endpoint.requests == [
        {"model": "m", "messages": HELLO, "temperature": 0.7, "top_p": 0.5, "max_tokens": 33}
    ]


async def refused(request):
    raise httpx2.ConnectError("refused")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx2.Response(429, json={}), "upstream_throttled"),
        (httpx2.Response(500, json={}), "upstream_5xx"),
        (httpx2.Response(503, text="down"), "upstream_5xx"),
        (httpx2.Response(401, json={}), "upstream_denied"),
        (httpx2.Response(400, json={}), "upstream_rejected"),
        (httpx2.Response(200, text="hello"), "upstream_malformed"),
        (httpx2.Response(200, json=[1]), "upstream_malformed"),
        (
            httpx2.Response(200, text="{", headers={"content-type": "application/json"}),
            "upstream_malformed",
        ),
        (completion("x", choices=[]), "upstream_malformed"),
        (completion("x", choices=[{"index": 0}]), "upstream_malformed"),
        (completion("x", choices=None), "upstream_malformed"),
        (refused, "upstream_unreachable"),
    ],
)
async def test_a_failure_has_a_name_and_is_tried_once(answer, code):
    endpoint = Endpoint(answer)

    with pytest.raises(LlmError) as failure:
        await ask(endpoint)

    assert failure.value.code == code
    assert isinstance(failure.value, UpstreamError)
    assert len(endpoint.requests) == 1


async def slow(request):
    await asyncio.sleep(5.0)
    return httpx2.Response(200, json=completion("late"))


async def test_a_slow_endpoint_is_cut_at_the_deadline():
    started = time.monotonic()

    with pytest.raises(DeadlineError):
        await ask(Endpoint(slow), deadline_s=0.02)

    assert time.monotonic() - started < 1.0


async def test_a_slow_endpoint_is_cut_at_the_settings_timeout():
    with pytest.raises(DeadlineError):
        await ask(Endpoint(slow), settings=Settings(timeout_s=0.02))


async def test_nothing_is_asked_after_the_deadline():
    endpoint = Endpoint(completion("hi"))

    with pytest.raises(DeadlineError):
        await ask(endpoint, deadline_s=-1.0)

    assert endpoint.requests == []


async def test_a_call_costs_what_the_price_list_says():
    prices = {"embedded-reader": Price(input_usd=2.0, output_usd=4.0)}

    reply = await ask(Endpoint(completion("hi")), prices=prices)

    assert reply.usage == Usage(10, 5, pytest.approx(40e-6))


async def test_the_embedded_reader_costs_nothing():
    reply = await ask(Endpoint(completion("hi")))

    assert reply.usage.cost_usd == 0.0


async def test_an_unknown_price_or_usage_is_not_zero():
    dear = await ask(Endpoint(completion("hi")), settings=Settings(name="other"))
    silent = await ask(Endpoint(completion("hi", usage=None)))

    assert dear.usage == Usage(10, 5, None)
    assert silent.usage == Usage(None, None, None)
    assert total([dear.usage, silent.usage]) == Usage(None, None, None)
    assert total([Usage(1, 2, 0.5), Usage(3, 4, 0.5)]) == Usage(4, 6, 1.0)
