import asyncio

import openai
import pytest

from engine.testing.faults.outcomes import Answer
from engine.testing.faults.script import Script
from tests.serve_apps.gateway.ground import ground, stored

ASKED = [{"role": "user", "content": "why?"}]


def client_of(place, key="k"):
    return openai.AsyncOpenAI(base_url=f"{place.url}/v1", api_key=key, max_retries=0)


async def test_a_key_that_had_enough_is_sent_away_and_the_others_are_not(tmp_path):
    rate = {"measure": "requests", "at_most": 2, "per": "hour"}
    protection = {"rates": {"each_key": [rate]}}

    async with (
        ground(tmp_path, protection=protection) as place,
        client_of(place, "one") as one,
        client_of(place, "other") as other,
    ):
        for _ in range(2):
            await one.chat.completions.create(model="echo", messages=ASKED)
        with pytest.raises(openai.RateLimitError) as caught:
            await one.chat.completions.create(model="echo", messages=ASKED)
        await other.chat.completions.create(model="echo", messages=ASKED)

    assert int(caught.value.response.headers["retry-after"]) > 0
    assert caught.value.code == "rate_limit_exceeded"


async def test_a_full_house_refuses_instead_of_making_everybody_late(tmp_path):
    crowding = {"most_in_flight": 1, "least_in_flight": 1, "queue": 0}
    script = Script(usual=Answer(latency_s=0.3))

    async with (
        ground(tmp_path, script=script, protection={"crowding": crowding}) as place,
        client_of(place) as client,
    ):
        calls = [client.chat.completions.create(model="echo", messages=ASKED) for _ in range(3)]
        ends = []

        async def ended(call):
            try:
                await call
                ends.append(200)
            except openai.APIStatusError as error:
                ends.append(error.status_code)

        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(ended(call))

    assert sorted(ends) == [200, 429, 429]


async def test_a_refused_request_leaves_no_exposure(tmp_path):
    crowding = {"most_in_flight": 1, "least_in_flight": 1, "queue": 0}

    async with ground(tmp_path, protection={"crowding": crowding}) as place:
        rooms = place.desk._guard.rooms
        async with rooms["echo"].seat("", 10.0), client_of(place) as client:
            with pytest.raises(openai.RateLimitError):
                await client.chat.completions.create(model="echo", messages=ASKED)

    assert stored(tmp_path, "exposure").height == 0
