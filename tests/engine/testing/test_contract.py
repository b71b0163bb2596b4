"""What a model server owes the stock client: one contract, met by ours and by the embedded one."""

import openai
import pytest

from engine.testing.faults.launch import fault_model
from engine.testing.faults.outcomes import Answer, Call
from engine.testing.faults.script import Dialogue, Script
from tests.engine.testing.served import embedded_model
from tests.serve_apps.embedded.requests import CALCULATOR, message

CALCULATES = Script(
    models=("embedded-reader",),
    dialogues=(
        Dialogue(
            prompt="2 + 3",
            turns=(
                Answer(
                    text="", calls=(Call(name="calculator", arguments={"expression": "2 + 3"}),)
                ),
                Answer(text="It is 5."),
            ),
        ),
    ),
)
LACKS = {"embedded": {"embeddings", "healthz"}, "faults": set()}
ASKED = [{"role": "user", "content": message("What does a lambda expression yield?")}]
SUM = [{"role": "user", "content": message("What is 2 + 3?")}]


@pytest.fixture(params=["faults", "embedded"])
async def client(request):
    started = fault_model(CALCULATES) if request.param == "faults" else embedded_model()
    async with started as server:
        url = server if isinstance(server, str) else server.base_url
        async with openai.AsyncOpenAI(
            base_url=url, api_key="none", max_retries=0, timeout=20.0
        ) as client:
            yield client


@pytest.fixture
def needs(request, client):
    def unless_offered(what):
        name = request.node.callspec.params["client"]
        if what in LACKS[name]:
            pytest.skip(f"the {name} model offers no {what}")

    return unless_offered


async def test_a_question_is_answered_in_one_piece(client):
    answer = await client.chat.completions.create(
        model="embedded-reader", messages=ASKED, temperature=0.0
    )

    (choice,) = answer.choices
    assert choice.message.role == "assistant"
    assert "lambda" in choice.message.content.lower()
    assert (choice.finish_reason, answer.model) == ("stop", "embedded-reader")


async def test_the_usage_adds_up(client):
    answer = await client.chat.completions.create(
        model="embedded-reader", messages=ASKED, temperature=0.0
    )

    usage = answer.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert min(usage.prompt_tokens, usage.completion_tokens) > 0


async def test_a_stream_says_what_one_piece_would(client):
    whole = await client.chat.completions.create(
        model="embedded-reader", messages=ASKED, temperature=0.0
    )

    stream = await client.chat.completions.create(
        model="embedded-reader",
        messages=ASKED,
        temperature=0.0,
        stream=True,
        stream_options={"include_usage": True},
    )
    *told, last = [event async for event in stream]

    text = "".join(event.choices[0].delta.content or "" for event in told)
    assert text == whole.choices[0].message.content
    assert told[-1].choices[0].finish_reason == "stop"
    assert (last.choices, last.usage) == ([], whole.usage)


async def test_a_stream_keeps_its_usage_to_itself_unless_asked(client):
    stream = await client.chat.completions.create(
        model="embedded-reader", messages=ASKED, temperature=0.0, stream=True
    )

    assert [event.usage async for event in stream if event.usage] == []


async def test_a_tool_is_called(client):
    answer = await client.chat.completions.create(
        model="embedded-reader", messages=SUM, tools=[CALCULATOR]
    )

    (choice,) = answer.choices
    (call,) = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert (call.function.name, call.function.arguments) == (
        "calculator",
        '{"expression": "2 + 3"}',
    )


async def test_a_tool_is_called_in_a_stream(client):
    stream = await client.chat.completions.create(
        model="embedded-reader", messages=SUM, tools=[CALCULATOR], stream=True
    )
    deltas = [event.choices[0].delta async for event in stream]

    parts = [part for delta in deltas for part in delta.tool_calls or ()]
    assert "".join(part.function.arguments for part in parts) == '{"expression": "2 + 3"}'
    assert [part.function.name for part in parts if part.function.name] == ["calculator"]
    assert {part.index for part in parts} == {0}


async def test_the_turn_after_a_tool_is_a_text(client):
    answer = await client.chat.completions.create(
        model="embedded-reader", messages=SUM, tools=[CALCULATOR]
    )
    call = answer.choices[0].message.tool_calls[0]
    told = {"role": "tool", "tool_call_id": call.id, "content": "5"}

    last = await client.chat.completions.create(
        model="embedded-reader",
        messages=[*SUM, answer.choices[0].message.model_dump(exclude_none=True), told],
        tools=[CALCULATOR],
    )

    assert last.choices[0].message.tool_calls is None
    assert "5" in last.choices[0].message.content


async def test_closed_tools_are_not_called(client):
    answer = await client.chat.completions.create(
        model="embedded-reader", messages=SUM, tools=[CALCULATOR], tool_choice="none"
    )

    assert answer.choices[0].message.tool_calls is None
    assert answer.choices[0].finish_reason == "stop"


async def test_the_models_are_listed(client):
    models = await client.models.list()

    assert [model.id for model in models.data] == ["embedded-reader"]


async def test_equal_texts_have_equal_vectors_of_length_1(client, needs):
    needs("embeddings")

    answer = await client.embeddings.create(
        model="embedded-reader", input=["a lambda", "a generator", "a lambda"]
    )

    first, second, third = (item.embedding for item in answer.data)
    assert first == third != second
    assert sum(value * value for value in first) == pytest.approx(1.0)
    assert answer.usage.prompt_tokens == 6


async def test_vectors_are_as_long_as_asked_in_either_encoding(client, needs):
    needs("embeddings")

    wanted = {"model": "embedded-reader", "input": "a lambda", "dimensions": 32}
    plain = await client.embeddings.create(**wanted, encoding_format="float")
    packed = await client.embeddings.create(**wanted)

    assert len(plain.data[0].embedding) == 32
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)


@pytest.mark.parametrize("wrong", [{"messages": []}, {"messages": [{"content": "who?"}]}])
async def test_a_wrong_request_is_refused_with_its_field(client, wrong):
    with pytest.raises(openai.BadRequestError) as refusal:
        await client.chat.completions.create(model="embedded-reader", **wrong)

    assert refusal.value.param.startswith("messages")


async def test_an_unknown_path_is_not_found(client):
    with pytest.raises(openai.NotFoundError):
        await client.moderations.create(input="anything")


async def test_it_says_that_it_is_well(client, needs):
    needs("healthz")

    assert await client.get("/../healthz", cast_to=object) == {"status": "ok"}
