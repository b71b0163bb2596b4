"""Laws of the process: what it counts, what it refuses, and that it ends."""

import asyncio
import contextlib
import json
import os
import signal
import sys

import openai
import pytest

from engine.testing.faults.launch import fault_model
from engine.testing.faults.outcomes import Answer
from engine.testing.faults.script import Match, Rule, Script

CHAT = "/v1/chat/completions"
ASKED = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def client_of(server):
    return openai.AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=0, timeout=20.0)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_it_counts_what_was_asked_and_what_was_served():
    script = Script(rules=(Rule(match=Match(first=2, last=2), fault="unavailable"),))

    async with fault_model(script) as server, client_of(server) as client:
        for _ in range(3):
            with contextlib.suppress(openai.InternalServerError):
                await client.chat.completions.create(**ASKED)
        counts = await server.counts()

    assert counts["asked"] == {CHAT: 3}
    assert counts["served"] == {"answer": 2, "unavailable": 1}
    assert counts["left"] == 0


async def test_a_client_that_leaves_is_counted_and_not_waited_for():
    async with fault_model(Script(usual=Answer(latency_s=60.0))) as server:
        async with client_of(server) as client:
            with pytest.raises(openai.APITimeoutError):
                await client.with_options(timeout=0.2).chat.completions.create(**ASKED)
        for _ in range(500):
            if (counts := await server.counts())["left"]:
                break
            await asyncio.sleep(0.02)

    assert (counts["left"], counts["served"]) == (1, {})


async def test_another_script_begins_its_own_counts():
    async with fault_model() as server, client_of(server) as client:
        await client.chat.completions.create(**ASKED)
        await server.control(Script(rules=(Rule(match=Match(last=1), fault="denied"),)))
        with pytest.raises(openai.AuthenticationError):
            await client.chat.completions.create(**ASKED)
        counts = await server.counts()

    assert counts["served"] == {"denied": 1}


async def test_one_seed_serves_one_mix():
    script = Script(rates={"unavailable": 0.3, "choices_empty": 0.3})
    mixes = []
    for seed in (3, 3, 4):
        async with fault_model(script, seed) as server, client_of(server) as client:
            met = []
            for _ in range(40):
                try:
                    answer = await client.chat.completions.create(**ASKED)
                    met.append(len(answer.choices))
                except openai.InternalServerError:
                    met.append("unavailable")
        mixes.append(met)

    assert mixes[0] == mixes[1] != mixes[2]


async def test_many_clients_at_once_are_all_answered():
    async with fault_model() as server, client_of(server) as client:
        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(client.chat.completions.create(**ASKED))
        counts = await server.counts()

    assert counts["served"] == {"answer": 100}


async def test_the_process_ends_with_its_block():
    async def fail():
        async with fault_model() as server:
            pids.append(server.pid)
            raise RuntimeError("on purpose")

    pids = []
    with pytest.raises(RuntimeError, match="on purpose"):
        await fail()

    assert [is_alive(pid) for pid in pids] == [False]


@pytest.mark.parametrize("end", ["sigterm", "stdin"])
async def test_it_ends_when_told_and_when_its_parent_is_gone(end, tmp_path):
    path = tmp_path / "script.yaml"
    path.write_text("usual: {text: hello}\n", encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "engine.testing.faults", "--script", str(path)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    told = json.loads(await process.stdout.readline())

    if end == "sigterm":
        process.send_signal(signal.SIGTERM)
    else:
        process.stdin.close()
    async with asyncio.timeout(20.0):
        code = await process.wait()

    assert (code, list(told)) == (0, ["port"])
