import httpx2
import openai
import pytest

from serve_apps.embedded.app import NAME, reader_app
from tests.serve_apps.embedded.requests import CALCULATOR, message


@pytest.fixture
async def client():
    transport = httpx2.ASGITransport(app=reader_app(seed=0))
    async with httpx2.AsyncClient(transport=transport) as http:
        yield openai.AsyncOpenAI(
            http_client=http, base_url="http://embedded/v1", api_key="none", max_retries=0
        )


def asked(question):
    return [{"role": "user", "content": message(question)}]


async def test_the_stock_client_reads_a_completion(client):
    completion = await client.chat.completions.create(
        model=NAME, messages=asked("What does a lambda expression yield?"), temperature=0.0
    )

    assert "function object" in completion.choices[0].message.content
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == NAME
    usage = completion.usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 0


async def test_the_stock_client_reads_a_tool_call(client):
    completion = await client.chat.completions.create(
        model=NAME, messages=asked("What is 2 + 3?"), tools=[CALCULATOR]
    )

    choice = completion.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls[0].function.arguments == '{"expression": "2 + 3"}'


async def test_the_stock_client_lists_the_model(client):
    models = await client.models.list()

    assert [model.id for model in models.data] == [NAME]


@pytest.mark.parametrize(
    "wrong",
    [{"temperature": -1}, {"messages": []}, {"messages": [{"role": "king"}]}, {"stream": "twice"}],
)
async def test_a_wrong_request_is_refused_with_its_field(client, wrong):
    request = {"model": NAME, "messages": asked("What?")} | wrong

    with pytest.raises(openai.BadRequestError) as refusal:
        await client.chat.completions.create(**request)

    assert refusal.value.param.startswith(next(iter(wrong)))


async def test_two_servers_with_one_seed_say_the_same():
    answers = []
    for _ in range(2):
        transport = httpx2.ASGITransport(app=reader_app(seed=5))
        async with httpx2.AsyncClient(transport=transport, base_url="http://embedded") as http:
            body = {
                "model": NAME,
                "messages": asked("What does a lambda yield?"),
                "temperature": 2.0,
            }
            replies = [await http.post("/v1/chat/completions", json=body) for _ in range(5)]
            answers.append([reply.json()["choices"] for reply in replies])

    assert answers[0] == answers[1]
