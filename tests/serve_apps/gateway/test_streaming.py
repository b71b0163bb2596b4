import asyncio
import json

import httpx2
import openai
import pytest
import websockets
from polars import col

from engine.testing.faults.outcomes import Answer, Cut
from engine.testing.faults.script import Match, Rule, Script
from tests.serve_apps.gateway.ground import ground, stored, until

ASKED = [{"role": "user", "content": "one two three four five six seven eight nine ten"}]
SLOW = Script(usual=Answer(chunk_delay_s=0.05, words_per_chunk=1))


@pytest.fixture(params=["slot", "inline"])
def placement(request):
    return request.param


def client_of(place):
    return openai.AsyncOpenAI(base_url=f"{place.url}/v1", api_key="k", max_retries=0)


async def heard(stream):
    return [chunk async for chunk in stream]


def texts(chunks):
    return [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]


async def test_a_streamed_answer_comes_in_pieces_that_add_up_to_the_whole(tmp_path, placement):
    async with ground(tmp_path, placement=placement) as place, client_of(place) as client:
        whole = await client.chat.completions.create(model="echo", messages=ASKED)
        stream = await client.chat.completions.create(
            model="echo", messages=ASKED, stream=True, stream_options={"include_usage": True}
        )
        chunks = await heard(stream)

    assert len(texts(chunks)) > 1
    assert "".join(texts(chunks)) == whole.choices[0].message.content
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1


async def test_pieces_arrive_before_the_answer_is_whole(tmp_path, placement):
    async with (
        ground(tmp_path, placement=placement, script=SLOW) as place,
        client_of(place) as client,
    ):
        stream = await client.chat.completions.create(model="echo", messages=ASKED, stream=True)
        times = [asyncio.get_running_loop().time() async for _ in stream]

    assert times[-1] - times[1] > 0.2


async def test_an_upstream_that_fails_at_once_is_a_plain_http_error(tmp_path):
    script = Script(rules=(Rule(match=Match(), fault="denied"),))

    async with ground(tmp_path, script=script) as place, client_of(place) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await client.chat.completions.create(model="echo", messages=ASKED, stream=True)

    assert caught.value.status_code == 502


async def test_an_upstream_that_breaks_off_is_an_error_that_the_client_raises(tmp_path, placement):
    script = Script(rules=(Rule(match=Match(), outcome=Cut(place="mid_body")),))

    async with (
        ground(tmp_path, placement=placement, script=script) as place,
        client_of(place) as client,
    ):
        stream = await client.chat.completions.create(model="echo", messages=ASKED, stream=True)
        with pytest.raises(openai.APIError):
            await heard(stream)
    (status,) = stored(tmp_path, "trace")["status"].to_list()

    assert status == "error"


async def test_a_client_that_leaves_ends_the_request_upstream_and_leaves_a_trace(
    tmp_path, placement
):
    async with (
        ground(tmp_path, placement=placement, script=SLOW) as place,
        client_of(place) as client,
    ):
        stream = await client.chat.completions.create(model="echo", messages=ASKED, stream=True)
        await anext(aiter(stream))
        await anext(aiter(stream))
        await stream.close()
        await until(lambda: not place.desk.ongoing)
        left = (await place.model.counts())["left"]
    (trace,) = stored(tmp_path, "trace").to_dicts()

    assert left == 1
    assert (trace["status"], trace["error"]) == ("error", "client_left")


async def test_a_client_that_hangs_up_on_a_plain_request_does_not_end_it(tmp_path):
    script = Script(usual=Answer(latency_s=0.3))

    async with ground(tmp_path, script=script) as place:
        async with httpx2.AsyncClient(base_url=place.url, timeout=0.1) as http:
            with pytest.raises(httpx2.TimeoutException):
                await http.post("/v1/chat/completions", json={"model": "echo", "messages": ASKED})
        await until(lambda: not place.desk.ongoing)
    (trace,) = stored(tmp_path, "trace").to_dicts()

    assert trace["status"] == "ok"


async def test_a_run_tells_its_plan_its_nodes_its_pieces_and_its_end(tmp_path, placement):
    async with (
        ground(tmp_path, placement=placement) as place,
        httpx2.AsyncClient(base_url=place.url) as http,
        http.stream(
            "POST",
            "/v1/workflows/echo/run",
            json={"input": {"question": "why so long a word?"}, "stream": True},
        ) as answer,
    ):
        text = await answer.aread()
        headers = answer.headers
    events = [block.split("\n") for block in text.decode().strip().split("\n\n")]
    kinds = [event.removeprefix("event: ") for event, _ in events]
    said = [json.loads(data.removeprefix("data: ")) for _, data in events]

    assert headers["content-type"].startswith("text/event-stream")
    assert (kinds[0], kinds[-1]) == ("plan", "done")
    assert {"node", "chunk"} <= set(kinds)
    assert said[0]["nodes"] == {"think": "text", "answer": "model"}
    assert said[-1]["output"] == "You said: why so long a word?"
    assert said[-1]["trace_id"] == headers["x-trimtab-trace-id"]


async def test_a_websocket_answers_one_message_after_the_other(tmp_path, placement):
    async with ground(tmp_path, placement=placement) as place:
        url = place.url.replace("http", "ws")
        async with websockets.connect(f"{url}/v1/workflows/echo/run") as socket:
            outputs = []
            for question in ("first", "second"):
                await socket.send(json.dumps({"input": {"question": question}}))
                while (event := json.loads(await socket.recv()))["event"] not in ("done", "error"):
                    pass
                outputs.append(event["data"]["output"])
            await socket.send("no json")
            refusal = json.loads(await socket.recv())

    assert outputs == ["You said: first", "You said: second"]
    assert refusal["event"] == "error"
    assert "not JSON" in refusal["data"]["message"]


async def test_an_unknown_path_opens_no_websocket(tmp_path):
    async with ground(tmp_path) as place:
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(place.url.replace("http", "ws") + "/nothing")


async def test_every_request_has_its_exposure_and_its_trace(tmp_path, placement):
    async with ground(tmp_path, placement=placement) as place, client_of(place) as client:
        raw = await client.chat.completions.with_raw_response.create(model="echo", messages=ASKED)
        stream = await client.chat.completions.create(model="echo", messages=ASKED, stream=True)
        await heard(stream)
    traced = stored(tmp_path, "trace")
    exposed = stored(tmp_path, "exposure")

    assert set(traced["trace_id"]) == set(exposed["trace_id"])
    assert traced.filter(col("trace_id") == raw.headers["x-trimtab-trace-id"]).height == 1
    assert set(traced["answer"]) == {"You said: " + ASKED[0]["content"]}


async def test_a_number_that_no_line_can_carry_is_the_clients_fault(tmp_path):
    asked = '{"input": {"question": "why?", "more": 123456789012345678901234567890}}'

    async with ground(tmp_path) as place, httpx2.AsyncClient(base_url=place.url) as http:
        answer = await http.post("/v1/workflows/echo/run", content=asked)

    assert answer.status_code == 400
    assert "can't be sent on" in answer.json()["error"]["message"]
