"""The stock client, whatever it can ask and whatever it can raise."""

import asyncio
import json

import httpx2
import openai
import pytest

from engine.testing.faults.outcomes import Answer, Broken, Call, Cut
from engine.testing.faults.script import Dialogue, Match, Rule, Script
from tests.serve_apps.gateway.ground import GRAPH, ground

ASKED = [{"role": "user", "content": "one two three four five six seven eight nine ten"}]
SAID = "You said: " + ASKED[0]["content"]
SLOW = Script(usual=Answer(latency_s=0.5))
TIDE = {
    "type": "function",
    "function": {
        "name": "tide",
        "description": "The tide at a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}
ANSWER = GRAPH["nodes"]["answer"] | {"client_tools": True}
TAKES_TOOLS = GRAPH | {"nodes": GRAPH["nodes"] | {"answer": ANSWER}}
CALLS = Script(
    dialogues=(
        Dialogue(
            turns=(
                Answer(
                    text="",
                    calls=(
                        Call(id="a", name="tide", arguments={"place": "Brest"}),
                        Call(id="b", name="tide", arguments={"place": "Dover"}),
                    ),
                ),
                Answer(text="High at Brest, low at Dover."),
            )
        ),
    )
)


@pytest.fixture
async def place(tmp_path):
    async with ground(tmp_path) as place:
        yield place


@pytest.fixture
async def client(place):
    async with client_of(place) as client:
        yield client


def client_of(place, **settings):
    given = {"base_url": f"{place.url}/v1", "api_key": "k", "max_retries": 0} | settings
    return openai.AsyncOpenAI(**given)


async def ask(client, messages=ASKED, **more):
    return await client.chat.completions.create(model="echo", messages=messages, **more)


async def heard(stream):
    return [chunk async for chunk in stream]


# whatever it can ask


async def test_the_client_that_waits_is_answered_like_the_one_that_does_not(place, client):
    def waiting():
        url = f"{place.url}/v1"
        with openai.OpenAI(base_url=url, api_key="k", max_retries=0) as one:
            whole = one.chat.completions.create(model="echo", messages=ASKED)
            stream = one.chat.completions.create(model="echo", messages=ASKED, stream=True)
            return whole, [chunk.choices[0].delta.content or "" for chunk in stream]

    whole, pieces = await asyncio.to_thread(waiting)

    assert whole.choices[0].message.content == "".join(pieces) == SAID
    assert (await ask(client)).choices[0].message.content == SAID


async def test_parts_and_a_developers_words_are_taken(client):
    parts = [
        {"type": "text", "text": "what is"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "text", "text": "this?"},
    ]
    said = [{"role": "developer", "content": "Be short."}, {"role": "user", "content": parts}]

    answer = await ask(client, said)

    assert answer.choices[0].message.content == "You said: what is  this?"


async def test_what_only_tunes_an_answer_is_taken_and_not_looked_at(client):
    answer = await ask(
        client,
        temperature=0.1,
        top_p=0.5,
        max_tokens=1,
        max_completion_tokens=1,
        stop=["two"],
        seed=1,
        user="me",
        metadata={"team": "search"},
        n=1,
        response_format={"type": "text"},
    )

    assert answer.choices[0].message.content == SAID


@pytest.mark.parametrize("wish", [{"n": 2}, {"logprobs": True}, {"modalities": ["audio"]}])
async def test_what_would_be_another_answer_is_refused_by_its_name(client, wish):
    with pytest.raises(openai.BadRequestError, match=f"`{next(iter(wish))}`"):
        await ask(client, **wish)


async def test_a_conversation_goes_on_by_its_metadata_or_its_header(client):
    create = client.chat.completions.with_raw_response.create
    first = await create(model="echo", messages=ASKED)
    named = first.headers["x-trimtab-conversation"]

    by_body = await create(model="echo", messages=ASKED, metadata={"conversation_id": named})
    by_header = await create(
        model="echo", messages=ASKED, extra_headers={"x-trimtab-conversation": named}
    )

    assert by_body.headers["x-trimtab-conversation"] == named
    assert by_header.headers["x-trimtab-conversation"] == named


@pytest.mark.parametrize("named", ["日本", "a\nb", "x" * 513])
async def test_a_conversations_id_that_no_header_could_hold_is_refused(client, named):
    with pytest.raises(openai.BadRequestError, match="plain ASCII"):
        await ask(client, metadata={"conversation_id": named})


async def test_raw_and_streamed_responses_say_which_answer_they_are(client):
    raw = await client.chat.completions.with_raw_response.create(model="echo", messages=ASKED)
    async with client.chat.completions.with_streaming_response.create(
        model="echo", messages=ASKED
    ) as streamed:
        parsed = await streamed.parse()

    assert raw.parse().id == "chatcmpl-" + raw.headers["x-trimtab-trace-id"]
    assert parsed.id == "chatcmpl-" + streamed.headers["x-trimtab-trace-id"]


async def test_the_streaming_helper_puts_the_answer_together(client):
    async with client.chat.completions.stream(
        model="echo", messages=ASKED, stream_options={"include_usage": True}
    ) as stream:
        pieces = [event.delta async for event in stream if event.type == "content.delta"]
        answer = await stream.get_final_completion()

    assert len(pieces) > 1
    assert "".join(pieces) == answer.choices[0].message.content == SAID
    assert answer.usage.completion_tokens > 0


async def test_models_are_listed_and_found_by_name(client):
    names = [model.id async for model in client.models.list()]

    assert names == ["echo", "lengths"]
    assert (await client.models.retrieve("echo")).owned_by == "trimtab"


async def test_embeddings_come_as_numbers_whichever_way_they_are_written(client):
    texts = ["high tide", "low"]
    packed = await client.embeddings.create(model="lengths", input=texts)
    plain = await client.embeddings.create(model="lengths", input=texts, encoding_format="float")

    assert [one.embedding for one in packed.data] == [one.embedding for one in plain.data]
    assert plain.data[0].embedding == [9.0, 2.0, 0.0, 1.0]
    assert plain.usage.total_tokens == 3


# tools of the client's own


async def test_the_model_may_call_a_clients_tools_and_answer_with_what_they_gave(tmp_path):
    async with (
        ground(tmp_path, script=CALLS, graph=TAKES_TOOLS) as place,
        client_of(place) as client,
    ):
        first = (await ask(client, tools=[TIDE])).choices[0]
        given = [
            {"role": "tool", "tool_call_id": call.id, "content": "high"}
            for call in first.message.tool_calls
        ]
        turn = first.message.model_dump(exclude_none=True)
        last = (await ask(client, [*ASKED, turn, *given], tools=[TIDE])).choices[0]

    assert (first.finish_reason, first.message.content) == ("tool_calls", None)
    calls = [(call.id, call.function.name) for call in first.message.tool_calls]
    assert calls == [("a", "tide"), ("b", "tide")]
    assert json.loads(first.message.tool_calls[0].function.arguments) == {"place": "Brest"}
    assert (last.finish_reason, last.message.content) == ("stop", "High at Brest, low at Dover.")


@pytest.mark.parametrize("placement", ["slot", "inline"])
async def test_streamed_calls_come_in_pieces_that_the_client_puts_together(tmp_path, placement):
    async with (
        ground(tmp_path, placement=placement, script=CALLS, graph=TAKES_TOOLS) as place,
        client_of(place) as client,
    ):
        whole = (await ask(client, tools=[TIDE])).choices[0].message
        async with client.chat.completions.stream(
            model="echo", messages=ASKED, tools=[TIDE]
        ) as stream:
            pieces = [event async for event in stream if event.type.startswith("tool_calls")]
            streamed = (await stream.get_final_completion()).choices[0]

    assert streamed.finish_reason == "tool_calls"
    assert [call.id for call in streamed.message.tool_calls] == ["a", "b"]
    assert [call.function.arguments for call in streamed.message.tool_calls] == [
        call.function.arguments for call in whole.tool_calls
    ]
    assert {piece.type for piece in pieces} == {
        "tool_calls.function.arguments.delta",
        "tool_calls.function.arguments.done",
    }


async def test_a_choice_among_the_tools_reaches_the_model(tmp_path):
    async with (
        ground(tmp_path, script=CALLS, graph=TAKES_TOOLS) as place,
        client_of(place) as client,
    ):
        shut = (await ask(client, tools=[TIDE], tool_choice="none")).choices[0]
        one = {"type": "function", "function": {"name": "tide"}}
        chosen = (await ask(client, tools=[TIDE], tool_choice=one)).choices[0]

    assert shut.message.tool_calls is None
    assert chosen.finish_reason == "tool_calls"


async def test_a_conversation_that_is_kept_remembers_what_was_called(tmp_path):
    async with (
        ground(tmp_path, script=CALLS, graph=TAKES_TOOLS, conversations={}) as place,
        client_of(place) as client,
    ):
        kept = {"metadata": {"conversation_id": "caller-17"}, "tools": [TIDE]}
        first = (await ask(client, **kept)).choices[0].message
        for call in first.tool_calls:
            given = {"role": "tool", "tool_call_id": call.id, "content": "high"}
            last = (await ask(client, [given], **kept)).choices[0]

    assert last.message.content == "High at Brest, low at Dover."


async def test_a_workflow_that_hands_no_tools_on_says_so(client):
    with pytest.raises(openai.BadRequestError, match="client_tools"):
        await ask(client, tools=[TIDE])


# whatever it can raise


async def test_what_is_not_there_is_not_found(client):
    with pytest.raises(openai.NotFoundError, match="served: echo"):
        await client.chat.completions.create(model="ecko", messages=ASKED)
    with pytest.raises(openai.NotFoundError, match="did you mean"):
        await client.models.retrieve("ecko")


async def test_a_key_that_was_used_for_something_else_is_a_conflict(client):
    answer = await client.chat.completions.with_raw_response.create(model="echo", messages=ASKED)
    said = {"trace_id": answer.headers["x-trimtab-trace-id"], "idempotency_key": "once"}
    task = {"workflow": "echo", "idempotency_key": "once"}

    for path, first, other in (
        ("/feedback", said | {"score": 1.0}, said | {"score": 0.0}),
        ("/tasks", task | {"input": "why?"}, task | {"input": "how?"}),
    ):
        await client.post(path, body=first, cast_to=object)
        with pytest.raises(openai.ConflictError) as caught:
            await client.post(path, body=other, cast_to=object)
        assert caught.value.code == "conflict"


async def test_a_rate_that_is_used_up_is_a_rate_limit(tmp_path):
    rate = {"measure": "requests", "at_most": 1, "per": "hour"}

    async with (
        ground(tmp_path, protection={"rates": {"each_key": [rate]}}) as place,
        client_of(place) as client,
    ):
        await ask(client)
        with pytest.raises(openai.RateLimitError) as caught:
            await ask(client)

    assert int(caught.value.response.headers["retry-after"]) > 0


async def test_a_model_that_fails_is_a_failure_of_the_server(tmp_path):
    script = Script(rules=(Rule(match=Match(), fault="denied"),))

    async with ground(tmp_path, script=script) as place, client_of(place) as client:
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError) as caught:
                await ask(client, stream=stream)

            assert caught.value.status_code == 502


async def test_a_request_that_takes_too_long_is_a_failure_of_the_server(tmp_path):
    async with (
        ground(tmp_path, script=SLOW, timeout_s=0.1) as place,
        client_of(place) as client,
    ):
        with pytest.raises(openai.InternalServerError) as caught:
            await ask(client)

    assert (caught.value.status_code, caught.value.code) == (504, "timeout")


async def test_a_client_that_does_not_wait_says_that_it_timed_out(tmp_path):
    async with ground(tmp_path, script=SLOW) as place, client_of(place, timeout=0.1) as client:
        with pytest.raises(openai.APITimeoutError):
            await ask(client)


async def test_nobody_at_the_address_is_a_connection_error(place):
    async with openai.AsyncOpenAI(
        base_url="http://127.0.0.1:9/v1", api_key="k", max_retries=0
    ) as client:
        with pytest.raises(openai.APIConnectionError):
            await ask(client)


@pytest.mark.parametrize("outcome", [Cut(place="mid_body"), Broken()])
async def test_what_fails_in_mid_stream_is_raised_where_it_is_heard(tmp_path, outcome):
    script = Script(rules=(Rule(match=Match(), outcome=outcome),))

    async with ground(tmp_path, script=script) as place, client_of(place) as client:
        stream = await ask(client, stream=True)
        with pytest.raises(openai.APIError) as caught:
            await heard(stream)

    assert caught.value.code
    assert not isinstance(caught.value, openai.APIStatusError)


async def test_every_refusal_says_the_same_to_those_without_a_client(place):
    async with httpx2.AsyncClient(base_url=place.url) as http:
        answer = await http.post("/v1/chat/completions", content=b"{")

    assert answer.status_code == 400
    assert answer.json()["error"].keys() == {"message", "type", "code", "param"}
