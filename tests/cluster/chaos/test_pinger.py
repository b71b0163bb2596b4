import asyncio
import itertools
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from cluster.chaos.journal import read_journal
from cluster.chaos.pinger import Habits, Pinger

LASTS_S = 0.3
RATE = 100.0


@asynccontextmanager
async def serving(answer):
    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    app.router.add_post("/v1/feedback", rated)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def rated(request):
    return web.json_response({"status": "stored"})


async def echo(request):
    said = (await request.json())["messages"][0]["content"]
    body = {"choices": [{"message": {"content": f"You said: {said}"}}]}
    headers = {"x-trimtab-trace-id": "t", "x-trimtab-variant": "v"}
    return web.json_response(body, headers=headers)


async def asked(url, path, timeout_s=20.0, **habits):
    stop = asyncio.Event()
    given = Habits(url=url, workflow="w", journal=str(path), rate=RATE, **habits)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s)) as session:
        with path.open("w") as book:
            async with asyncio.TaskGroup() as group:
                group.create_task(Pinger(given, book, session).live(stop))
                await asyncio.sleep(LASTS_S)
                stop.set()
    return read_journal(path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.jsonl"


async def test_an_answer_is_written_down_with_who_gave_it(path):
    async with serving(echo) as url:
        journal = await asked(url, path, rated=1.0)

    assert len(journal.pings) > 5
    assert {(one.first.variant, one.first.trace_id) for one in journal.pings} == {("v", "t")}
    assert all(one.first.is_ok and one.first.echoed for one in journal.pings)
    assert len({one.id for one in journal.pings}) == len(journal.pings)
    assert {one.said for one in journal.ratings} == {"stored"}


async def test_a_failure_is_tried_once_more_and_both_are_written_down(path):
    turns = itertools.count()

    async def every_other(request):
        if next(turns) % 2 == 0:
            body = {"error": {"code": "busy"}}
            return web.json_response(body, status=503, headers={"retry-after": "0"})
        return await echo(request)

    async with serving(every_other) as url:
        journal = await asked(url, path, rated=0.0)

    failed = [one for one in journal.pings if not one.first.is_ok]
    assert failed
    assert all(len(one.tries) == 2 for one in failed)
    assert {one.first.code for one in failed} == {"busy"}


async def test_a_server_that_stands_still_is_asked_all_the_same(path):
    async def never(request):
        await asyncio.sleep(5.0)

    async with serving(never) as url:
        journal = await asked(url, path, timeout_s=0.1)

    assert len(journal.pings) > 5
    assert {one.first.kind for one in journal.pings} == {"timeout"}


async def test_somebody_elses_answer_is_noticed(path):
    async def wrong(request):
        return web.Response(
            text=json.dumps({"choices": [{"message": {"content": "You said: ping 7-7."}}]})
        )

    async with serving(wrong) as url:
        journal = await asked(url, path, rated=0.0)

    assert not any(one.first.echoed for one in journal.pings)


async def test_a_closed_port_is_a_connection_that_failed(path):
    async with serving(echo) as url:
        pass

    journal = await asked(url, path, rated=0.0)

    assert {one.last.kind for one in journal.pings} == {"connection"}
