import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config.agents import Conversations
from engine.errors import StoreCorruptError
from engine.workflow.sessions.memory import MemorySessions
from engine.workflow.sessions.packing import packed, unpacked
from engine.workflow.sessions.session import Session, StaleSessionError, amended, bounded
from engine.workflow.sessions.sqlite import SqliteSessions

ROOT = Path(__file__).parents[4]
WRITER = Path(__file__).with_name("writer.py")


def user(text):
    return {"role": "user", "content": text}


def answer(text):
    return {"role": "assistant", "content": text}


class Clock:
    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def opened(request, tmp_path, clock):
    stores = []

    def open_one(**settings):
        settings = Conversations(**settings)
        if request.param == "memory":
            return MemorySessions(settings, now=clock)
        stores.append(SqliteSessions(tmp_path / "sessions.db", settings, now=clock))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


async def test_an_unknown_conversation_is_empty(opened):
    assert await opened().load("c") == Session()


async def test_what_was_saved_is_loaded(opened):
    sessions = opened()
    session = Session((user("hi"), answer("é🌊")), {"name": "Ann"}, "a greeting")

    saved = await sessions.save("c", session)

    assert saved == replace(session, version=1)
    assert await sessions.load("c") == saved
    assert await sessions.load("d") == Session()


async def test_a_turn_on_a_state_that_moved_on_is_refused(opened):
    sessions = opened()
    first = await sessions.save("c", Session().said([user("one")]))
    await sessions.save("c", first.said([user("two")]))

    for stale in (first, Session(), replace(first, version=7)):
        with pytest.raises(StaleSessionError):
            await sessions.save("c", stale.said([user("lost")]))

    assert [message["content"] for message in (await sessions.load("c")).messages] == ["one", "two"]


async def test_requests_of_one_conversation_lose_no_update(opened):
    sessions = opened()

    async with asyncio.TaskGroup() as group:
        for n in range(8):
            group.create_task(amended(sessions, "c", lambda s, n=n: s.noted(str(n), "x")))

    session = await sessions.load("c")
    assert session.facts.keys() == {str(n) for n in range(8)}
    assert session.version == 8


async def test_a_conversation_expires_after_its_last_turn(opened, clock):
    sessions = opened(ttl_s=60.0)
    first = await sessions.save("c", Session().said([user("one")]))
    clock.now += 59.0
    second = await sessions.save("c", first.said([user("two")]))
    clock.now += 59.0

    assert await sessions.load("c") == second

    clock.now += 1.0
    assert await sessions.load("c") == Session()
    with pytest.raises(StaleSessionError):
        await sessions.save("c", second)
    assert (await sessions.save("c", Session())).version == 1


async def test_a_forgotten_conversation_begins_anew(opened):
    sessions = opened()
    await sessions.save("c", Session().noted("name", "Ann"))

    await sessions.forget("c")
    await sessions.forget("never seen")

    assert await sessions.load("c") == Session()
    assert (await sessions.save("c", Session())).version == 1


async def test_only_the_latest_is_kept(opened):
    sessions = opened(max_messages=4, max_facts=2)
    messages = [role(str(n)) for n in range(3) for role in (user, answer)]
    session = Session().said(messages).noted("a", "1").noted("b", "2").noted("c", "3")

    kept = await sessions.save("c", session.noted("a", "4"))

    assert await sessions.load("c") == kept
    assert [message["content"] for message in kept.messages] == ["1", "1", "2", "2"]
    assert kept.facts == {"c": "3", "a": "4"}


CALLS = {"role": "assistant", "content": None, "tool_calls": [{"id": "call_0"}]}
RESULT = {"role": "tool", "tool_call_id": "call_0", "content": "high"}
TURNS = st.lists(
    st.integers(0, 5).map(lambda n: [user("q"), *[CALLS, RESULT] * n, answer("a")]), max_size=6
)


@given(TURNS, st.integers(2, 12))
def test_a_bounded_history_is_a_conversation_still(turns, most):
    messages = [message for turn in turns for message in turn]

    kept = bounded(Session(tuple(messages)), Conversations(max_messages=most)).messages

    assert len(kept) <= most
    assert len(kept) >= min(2, len(messages))
    assert not kept or (kept[0], kept[-1]) == (user("q"), answer("a"))
    assert kept.count(CALLS) == kept.count(RESULT)


TEXTS = st.text(st.characters(codec="utf-8"))


@given(st.lists(TEXTS.map(user)), st.dictionaries(TEXTS, TEXTS), TEXTS)
def test_a_packed_conversation_comes_back_whole(messages, facts, summary):
    session = Session(tuple(messages), facts, summary, 3)

    assert unpacked(packed(session), 3) == session


@given(st.binary())
def test_other_bytes_are_refused_by_name(body):
    with pytest.raises(StoreCorruptError):
        unpacked(body, 1)


@given(st.integers(0, 200))
def test_a_conversation_that_was_cut_is_refused_by_name(end):
    body = packed(Session((user("When is the tide high in Brest?"), answer("At noon."))))

    with pytest.raises(StoreCorruptError):
        unpacked(body[: min(end, len(body) - 1)], 1)


async def test_a_restart_finds_every_conversation(tmp_path):
    before = SqliteSessions(tmp_path / "sessions.db")
    saved = await before.save("c", Session().said([user("hi")]))
    before.close()

    after = SqliteSessions(tmp_path / "sessions.db")

    assert await after.load("c") == saved
    after.close()


def child(path, conversation, turns=""):
    return subprocess.Popen(
        [sys.executable, str(WRITER), str(path), conversation, turns],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        text=True,
    )


async def test_a_killed_writer_loses_no_acknowledged_turn(tmp_path):
    path = tmp_path / "sessions.db"
    writer = child(path, "c")
    told = [writer.stdout.readline().strip() for _ in range(25)]

    writer.send_signal(signal.SIGKILL)
    told += writer.communicate()[0].split()

    assert writer.returncode == -signal.SIGKILL
    sessions = SqliteSessions(path)
    session = await sessions.load("c")
    assert session.version in (len(told), len(told) + 1)
    assert set(told[-25:]) <= session.facts.keys()
    await sessions.save("c", session.noted("goes on", "x"))
    sessions.close()


async def test_two_processes_lose_none_of_each_others_turns(tmp_path):
    path = tmp_path / "sessions.db"
    writer = child(path, "c", "20")
    sessions = SqliteSessions(path)

    for n in range(20):
        await amended(sessions, "c", lambda session, n=n: session.noted(f"here-{n}", "x"))

    assert len(writer.communicate()[0].split()) == 20
    assert writer.returncode == 0
    session = await sessions.load("c")
    assert session.version == 40
    assert len(session.facts) == 40
    sessions.close()
