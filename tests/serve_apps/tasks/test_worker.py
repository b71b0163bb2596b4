import asyncio
import json
import time

import pytest

from engine.books.task import NewTask
from engine.books.tasks import TaskBook
from engine.config.tasks import TaskSettings
from engine.errors import ClusterError, ConfigError, StoreFullError
from serve_apps.protection.refusal import too_many
from serve_apps.tasks.worker import Answer, TaskWorker

SETTINGS = TaskSettings(concurrency=2, poll_s=0.01, lease_s=1.0, drain_s=5.0)


@pytest.fixture
def book(tmp_path):
    book = TaskBook(tmp_path / "tasks.db")
    yield book
    book.close()


class Workshop:
    """Works as told, and remembers."""

    def __init__(self):
        self.seen, self.now, self.most, self.ended = [], 0, 0, 0
        self.go = asyncio.Event()
        self.raises = []

    async def __call__(self, claimed):
        self.seen.append(claimed.id)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.raises:
                raise self.raises.pop()
            await self.go.wait()
            return Answer(200, {"output": claimed.asked.decode()})
        finally:
            self.now -= 1
            self.ended += 1


@pytest.fixture
def shop():
    return Workshop()


def submit(book, *ids, lasts_s=60.0):
    now = time.time()
    book.submit([NewTask(id, "w", f"q-{id}".encode(), now, now + lasts_s) for id in ids])


async def until(true):
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for lies in a book
            await asyncio.sleep(0.005)


def states(book, *ids):
    return [book.status(id).state for id in ids]


async def test_tasks_are_done_and_their_answers_kept(book, shop):
    shop.go.set()
    submit(book, "aa", "bb", "cc")
    worker = TaskWorker(book, shop, SETTINGS)

    await until(lambda: states(book, "aa", "bb", "cc") == ["done"] * 3)

    assert json.loads(book.result("bb")) == {"status": 200, "body": {"output": "q-bb"}}
    await worker.close()


async def test_no_more_are_worked_on_at_once_than_there_is_room_for(book, shop):
    submit(book, "aa", "bb", "cc", "dd")
    worker = TaskWorker(book, shop, SETTINGS)
    await until(lambda: shop.now == 2)
    assert states(book, "cc", "dd") == ["queued"] * 2

    shop.go.set()

    await until(lambda: states(book, "cc", "dd") == ["done"] * 2)
    assert shop.most == 2
    await worker.close()


async def test_a_failure_is_kept_under_its_status(book):
    async def work(_):
        return Answer(502, {"error": {"code": "replica_died"}})

    submit(book, "aa")
    worker = TaskWorker(book, work, SETTINGS)

    await until(lambda: states(book, "aa") == ["failed"])

    assert json.loads(book.result("aa"))["status"] == 502
    await worker.close()


async def test_what_can_never_be_answered_fails_at_once(book, shop):
    shop.raises = [ConfigError("no such input")]
    submit(book, "aa")
    worker = TaskWorker(book, shop, SETTINGS)

    await until(lambda: states(book, "aa") == ["failed"])

    kept = json.loads(book.result("aa"))
    assert (kept["status"], kept["body"]["error"]["message"]) == (400, "no such input")
    assert shop.seen == ["aa"]
    await worker.close()


@pytest.mark.parametrize(
    "why",
    [ClusterError("nobody is seated"), StoreFullError("disk full"), too_many("enough", "rate", 1)],
)
async def test_what_could_not_be_begun_is_tried_again_later(book, shop, why):
    shop.raises, ahead = [why], [0.0]
    shop.go.set()
    submit(book, "aa")
    worker = TaskWorker(book, shop, SETTINGS, clock=lambda: time.time() + ahead[0])
    await until(lambda: shop.ended == 1 and worker.ongoing == 0)
    assert states(book, "aa") == ["queued"]

    ahead[0] = 2.0

    await until(lambda: states(book, "aa") == ["done"])
    await worker.close()


async def test_a_cancelled_task_stops_its_work_wherever_it_was_cancelled(book, shop):
    submit(book, "aa")
    worker = TaskWorker(book, shop, SETTINGS)
    await until(lambda: shop.now == 1)

    book.cancel("aa", time.time())

    await until(lambda: shop.now == 0 and worker.ongoing == 0)
    assert states(book, "aa") == ["cancelled"]
    await worker.close()


async def test_a_task_that_takes_longer_than_its_lease_stays_its_workers(book, shop):
    submit(book, "aa")
    settings = SETTINGS.model_copy(update={"lease_s": 0.1})
    first, second = (TaskWorker(book, shop, settings) for _ in range(2))

    await asyncio.sleep(0.4)

    shop.go.set()
    await until(lambda: states(book, "aa") == ["done"])
    assert shop.seen == ["aa"]
    await first.close()
    await second.close()


async def test_a_dead_workers_task_is_done_by_another(book, shop):
    submit(book, "aa")
    assert book.claim(time.time(), 0.05, most=1)
    shop.go.set()

    worker = TaskWorker(book, shop, SETTINGS)

    await until(lambda: states(book, "aa") == ["done"])
    assert book.status("aa").attempts == 2
    await worker.close()


async def test_a_task_is_expired_and_its_work_stopped_at_its_deadline(book, shop):
    submit(book, "aa", lasts_s=0.2)
    worker = TaskWorker(book, shop, SETTINGS)

    await until(lambda: states(book, "aa") == ["expired"])

    assert (shop.now, book.status("aa").reason) == (0, "deadline")
    await worker.close()


async def test_a_worker_that_closes_finishes_what_it_began_and_takes_nothing_more(book, shop):
    submit(book, "aa", "bb")
    worker = TaskWorker(book, shop, SETTINGS.model_copy(update={"concurrency": 1}))
    await until(lambda: shop.now == 1)

    closing = asyncio.create_task(worker.close())
    await asyncio.sleep(0.02)
    shop.go.set()
    await closing

    assert states(book, "aa", "bb") == ["done", "queued"]


async def test_what_a_closing_worker_can_not_finish_is_given_back_at_no_attempt(book, shop):
    submit(book, "aa")
    worker = TaskWorker(book, shop, SETTINGS.model_copy(update={"drain_s": 0.0}))
    await until(lambda: shop.now == 1)

    await worker.close()

    assert (shop.now, states(book, "aa"), book.status("aa").attempts) == (0, ["queued"], 0)
    assert book.is_due(time.time())


async def test_a_worker_without_room_leaves_tasks_to_others(book, shop):
    submit(book, "aa")
    worker = TaskWorker(book, shop, SETTINGS.model_copy(update={"concurrency": 0}))

    await asyncio.sleep(0.05)

    assert (shop.seen, states(book, "aa")) == ([], ["queued"])
    await worker.close()


async def test_a_worker_tells_how_tasks_stand_and_what_this_process_ended(book, shop):
    submit(book, "aa", "bb", "cc")
    book.cancel("cc", time.time())
    told = asyncio.Queue()

    worker = TaskWorker(
        book,
        shop,
        SETTINGS.model_copy(update={"concurrency": 0}),
        watcher=lambda *one: told.put_nowait(one),
    )

    async with asyncio.timeout(20):
        standing, ended = await told.get()
    assert (standing.waiting, standing.running, ended) == (2, 0, {"cancelled": 1})
    await worker.close()
