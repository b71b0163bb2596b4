import asyncio
import json

import pytest

from engine.books.tasks import TaskBook
from engine.config.tasks import TaskSettings
from engine.errors import ConfigError, NotFoundError
from serve_apps.tasks.desk import TaskDesk

SECRET = b"s" * 32
ASKED = {"workflow": "w", "input": "why?"}


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def check(workflow, asked):
    if workflow != "w":
        raise NotFoundError(f"workflow {workflow!r} is not served here")
    if "input" not in asked:
        raise ConfigError("`messages` must be a list of at least one message")


@pytest.fixture
def book(tmp_path):
    book = TaskBook(tmp_path / "tasks.db", capacity=3)
    yield book
    book.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def desk(book, clock):
    desk = TaskDesk(book, SECRET, TaskSettings(timeout_s=60.0), check, clock=clock)
    yield desk
    await asyncio.to_thread(desk.close)


async def submitted(desk, key="", **said):
    return (await desk.submit(ASKED | said, key)).body["id"]


def ended(book, clock, ending="done", body=None, status=200):
    (held,) = book.claim(clock(), 10.0, most=1)
    kept = json.dumps({"status": status, "body": body}).encode() if body else None
    assert book.finish(held.id, held.token, ending, clock(), answered=kept)


async def test_a_task_is_accepted_before_it_is_done(desk, book):
    told = await desk.submit(ASKED | {"conversation_id": "c"})

    assert (told.status, told.body["status"]) == (202, "queued")
    assert (await desk.status(told.body["id"])).body["deadline_at"] == 160.0
    (held,) = book.claim(100.0, 10.0, most=1)
    assert json.loads(held.asked) == ASKED | {"conversation_id": "c"}


async def test_a_result_is_what_the_request_itself_would_have_got(desk, book, clock):
    good, bad = await submitted(desk), await submitted(desk)
    ended(book, clock, body={"output": "because"})
    ended(book, clock, "failed", {"error": {"code": "timeout"}}, 504)

    told = [await desk.result(id) for id in (good, bad)]

    assert told[0].status == 200
    assert told[0].body == {"id": good, "output": "because"}
    assert (told[1].status, told[1].body["error"]["code"]) == (504, "timeout")


async def test_a_result_that_is_not_there_yet_says_when_to_ask_again(desk, book, clock):
    id = await submitted(desk)
    waiting = await desk.result(id)
    book.claim(clock(), 10.0, most=1)
    running = await desk.result(id)

    assert [(one.status, one.body["status"]) for one in (waiting, running)] == [
        (202, "queued"),
        (202, "running"),
    ]
    assert running.headers["retry-after"] == "1"


async def test_a_cancelled_task_has_no_result(desk):
    id = await submitted(desk)

    assert (await desk.cancel(id)).body["status"] == "cancelled"

    assert (await desk.result(id)).status == 409


async def test_a_result_that_expired_is_gone(desk, book, clock):
    late, old = await submitted(desk, timeout_s=1.0), await submitted(desk)
    clock.now += 2.0
    book.sweep(clock())
    ended(book, clock, body={"output": "because"})
    assert (await desk.result(late)).status == 410

    book.sweep(clock() + 50.0, retention_s=10.0)

    for told in [await asked(old) for asked in (desk.result, desk.status, desk.cancel)]:
        assert told.status == 410


async def test_an_id_that_was_never_given_out_is_not_found(desk):
    id = await submitted(desk)

    for forged in ("", "task-aa", id[:-1] + ("0" if id[-1] != "0" else "1"), "\ud800"):
        with pytest.raises(NotFoundError):
            await desk.status(forged)


async def test_a_key_sent_again_is_the_same_task_and_another_body_a_conflict(desk):
    first = await submitted(desk, idempotency_key="k")
    again = await submitted(desk, idempotency_key="k")
    other = await desk.submit(ASKED | {"idempotency_key": "k", "input": "else?"})

    assert first == again
    assert (other.status, other.body["error"]["code"]) == (409, "conflict")


async def test_a_full_queue_says_when_to_come_back(desk):
    for _ in range(3):
        await submitted(desk)

    told = await desk.submit(ASKED)

    assert (told.status, told.body["error"]["code"]) == (429, "queue_full")
    assert int(told.headers["retry-after"]) > 0


async def test_a_client_lists_its_own_tasks(desk):
    mine = [await submitted(desk, "me") for _ in range(2)]
    await submitted(desk, "you")
    await desk.cancel(mine[0])

    all_, cancelled = await desk.listed("me"), await desk.listed("me", status="cancelled")

    assert [one["id"] for one in all_.body["tasks"]] == mine[::-1]
    assert [one["id"] for one in cancelled.body["tasks"]] == mine[:1]


@pytest.mark.parametrize(
    "wrong",
    [
        {"input": "x"},
        {"workflow": 3, "input": "x"},
        ASKED | {"model": "m"},
        ASKED | {"idempotency_key": ""},
        ASKED | {"idempotency_key": 7},
        ASKED | {"timeout_s": 0},
        ASKED | {"timeout_s": 61},
        ASKED | {"timeout_s": True},
        ASKED | {"timeout_s": "5"},
        {"workflow": "w"},
    ],
)
async def test_what_could_never_be_answered_is_refused(desk, book, wrong):
    with pytest.raises(ConfigError):
        await desk.submit(wrong)

    assert book.counts() == {}


@pytest.mark.parametrize("wrong", [{"status": "lost"}, {"limit": "0"}, {"limit": "x"}])
async def test_a_list_that_makes_no_sense_is_refused(desk, wrong):
    with pytest.raises(ConfigError):
        await desk.listed(**wrong)
