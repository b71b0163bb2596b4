"""Each fault as the stock client meets it, without retries of its own."""

import json

import openai
import pytest
import pytest_asyncio

from engine.testing.faults.launch import fault_model
from engine.testing.faults.named import FAULTS
from engine.testing.faults.outcomes import Answer, Drip, Stall
from engine.testing.faults.script import Rule, Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hello my good old friend"}]}
WHOLE = "You said: hello my good old friend"

REFUSED = {
    "throttled": (openai.RateLimitError, 429),
    "throttled_until_date": (openai.RateLimitError, 429),
    "throttled_for_ms": (openai.RateLimitError, 429),
    "throttled_for_nonsense": (openai.RateLimitError, 429),
    "internal_error": (openai.InternalServerError, 500),
    "bad_gateway": (openai.InternalServerError, 502),
    "unavailable": (openai.InternalServerError, 503),
    "overloaded": (openai.InternalServerError, 529),
    "denied": (openai.AuthenticationError, 401),
    "context_too_long": (openai.BadRequestError, 400),
}
# What one piece raises, and what a stream does; None is an answer that only looks well.
LOST, LATE, TORN = openai.APIConnectionError, openai.APITimeoutError, json.JSONDecodeError
RAISES = {
    "reset_before_headers": (LOST, LOST),
    "reset_after_headers": (LOST, LOST),
    "reset_mid_body": (LOST, LOST),
    "closed_mid_body": (LOST, LOST),
    "half_a_chunk": (LOST, LOST),
    "stalled": (LATE, LATE),
    "stalled_mid_body": (LATE, LATE),
    "drip": (LATE, LATE),
    "no_http": (LOST, LOST),
    "bad_json": (TORN, TORN),
    "huge_header": (LOST, LOST),
    # The stream's reader stops at [DONE] and never misses the rest.
    "short_body": (LOST, None),
    "long_body": (TORN, None),
    "error_with_200": (None, openai.APIError),
    "error_in_stream": (openai.InternalServerError, openai.APIError),
}
READS_WRONG = {
    "choices_an_object": lambda answer: isinstance(answer.choices, dict),
    "choices_missing": lambda answer: answer.choices is None,
    "choices_empty": lambda answer: answer.choices == [],
    "message_null": lambda answer: answer.choices[0].message is None,
    "content_a_number": lambda answer: answer.choices[0].message.content == 42,
    "usage_texts": lambda answer: answer.usage.prompt_tokens == "many",
    "error_with_200": lambda answer: answer.choices is None and answer.error["code"] == "internal",
    "unknown_tool": lambda answer: calls(answer) == [("no_such_tool", "{}")],
    "arguments_not_json": lambda answer: calls(answer) == [("calculator", "{'expression': 2 +")],
    "arguments_wrong_types": lambda answer: (
        json.loads(calls(answer)[0][1])["expression"] == [1, None]
    ),
    "duplicate_ids": lambda answer: (
        [call.id for call in answer.choices[0].message.tool_calls] == ["call_same", "call_same"]
    ),
    "tool_without_name": lambda answer: calls(answer) == [("", "{}")],
    "empty_answer": lambda answer: not answer.choices[0].message.content,
    "cut_by_length": lambda answer: answer.choices[0].finish_reason == "length",
    "filtered": lambda answer: answer.choices[0].finish_reason == "content_filter",
    "no_usage": lambda answer: answer.usage is None,
    "huge_body": lambda answer: answer.choices[0].message.content == WHOLE,
    "no_done": lambda answer: answer.choices[0].message.content == WHOLE,
}


def calls(answer):
    return [(c.function.name, c.function.arguments) for c in answer.choices[0].message.tool_calls]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server():
    async with fault_model() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def client(server):
    """With connections of its own, that no earlier fault has spoiled."""
    async with openai.AsyncOpenAI(
        base_url=server.base_url, api_key="none", max_retries=0, timeout=20.0
    ) as client:
        yield client


def of(outcome):
    return Script(rules=(Rule(outcome=outcome),))


def named(fault):
    return Script(rules=(Rule(fault=fault),))


async def one_piece(client):
    return await client.chat.completions.create(**ASKED)


async def stream(client):
    events = await client.chat.completions.create(**ASKED, stream=True)
    return "".join([e.choices[0].delta.content or "" async for e in events])


async def test_every_fault_has_its_test():
    assert REFUSED.keys() | RAISES.keys() | READS_WRONG.keys() == FAULTS.keys()


@pytest.mark.parametrize("ask", [one_piece, stream])
@pytest.mark.parametrize("fault", REFUSED)
async def test_a_status_is_the_error_of_its_class(server, client, fault, ask):
    await server.control(named(fault))
    error, status = REFUSED[fault]

    with pytest.raises(error) as refusal:
        await ask(client)

    assert type(refusal.value) is error
    assert (refusal.value.status_code, refusal.value.code) == (status, FAULTS[fault].code)


async def test_what_is_left_of_a_stream_breaks_the_next_answer_on_its_connection(server, client):
    await server.control(named("long_body"))
    await stream(client)

    with pytest.raises(openai.APIConnectionError):
        await stream(client)


async def test_a_wait_is_asked_for_in_four_ways(server, client):
    asked = {}
    for fault in [name for name in FAULTS if name.startswith("throttled")]:
        await server.control(named(fault))
        with pytest.raises(openai.RateLimitError) as refusal:
            await one_piece(client)
        headers = refusal.value.response.headers
        asked[fault] = headers.get("retry-after") or headers.get("retry-after-ms")

    assert asked.pop("throttled_until_date").endswith("GMT")
    assert asked == {
        "throttled": "1",
        "throttled_for_ms": "250",
        "throttled_for_nonsense": "when the moon is full",
    }


BROKEN = [
    pytest.param(ask, fault, error, id=f"{fault}-{ask.__name__}")
    for fault, errors in RAISES.items()
    for ask, error in zip((one_piece, stream), errors, strict=True)
    if error
]


@pytest.mark.parametrize(("ask", "fault", "error"), BROKEN)
async def test_a_broken_answer_is_raised(server, client, ask, fault, error):
    await server.control(named(fault))
    if error is LATE:
        client = client.with_options(timeout=0.2)

    with pytest.raises(error) as failure:
        await ask(client)

    assert type(failure.value) is error


@pytest.mark.parametrize("fault", READS_WRONG)
async def test_the_client_hands_a_wrong_answer_through(server, client, fault):
    await server.control(named(fault))

    answer = await one_piece(client)

    assert READS_WRONG[fault](answer)


async def test_a_stream_may_lack_its_end_unseen(server, client):
    texts = set()
    for fault in ("no_done", "short_body", "huge_body"):
        await server.control(named(fault))
        texts.add(await stream(client))

    assert texts == {WHOLE}


async def test_text_comes_before_the_error_of_a_stream(server, client):
    await server.control(named("error_in_stream"))
    told = []

    async def listen():
        async for event in await client.chat.completions.create(**ASKED, stream=True):
            told.append(event.choices[0].delta.content)  # noqa: PERF401 - a list would be lost

    with pytest.raises(openai.APIError, match="while streaming"):
        await listen()

    assert any(told)


@pytest.mark.parametrize("place", ["before_headers", "after_headers", "mid_body"])
async def test_an_answer_goes_on_after_a_stall(server, client, place):
    await server.control(of(Stall(place=place, for_s=0.05)))

    assert (await one_piece(client)).choices[0].message.content == WHOLE
    assert await stream(client) == WHOLE


async def test_a_dripped_answer_arrives_in_the_end(server, client):
    await server.control(of(Drip(delay_s=0.0)))

    assert (await one_piece(client)).choices[0].message.content == WHOLE
    assert await stream(client) == WHOLE


async def test_a_fault_meets_embeddings_too(server, client):
    await server.control(named("reset_mid_body"))

    with pytest.raises(openai.APIConnectionError):
        await client.embeddings.create(model="m", input="a text")


async def test_an_answer_takes_its_time_and_says_its_figures(server, client):
    await server.control(of(Answer(text="{said}!", input_tokens=7, output_tokens=9, latency_s=0.1)))

    answer = await one_piece(client)

    assert answer.choices[0].message.content == "hello my good old friend!"
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (7, 9)
