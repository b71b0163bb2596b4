import json
import multiprocessing
import random
import sqlite3
import string
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.books.tasks import TaskBook
from engine.config.tasks import ATTEMPTS
from engine.errors import NotFoundError
from tests.engine.books.task_children import KILLED, claim_and_die, die_at, race, task

LEASE_S = 10.0
processes = multiprocessing.get_context("forkserver")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tasks.db"


@pytest.fixture
def book(path):
    book = TaskBook(path)
    yield book
    book.close()


def claim(book, now=1.0, most=1):
    return book.claim(now, LEASE_S, most=most)


def ended(target, *args):
    process = processes.Process(target=target, args=[str(arg) for arg in args])
    process.start()
    process.join(30)
    return process.exitcode


def test_a_task_is_queued_claimed_and_done(book):
    book.submit([task("aa", 1.0, asked=b"question")])
    queued = book.status("aa").state
    (held,) = claim(book, 2.0)
    running = book.status("aa")

    assert book.finish("aa", held.token, "done", 3.0, answered=b"answer")

    done = book.status("aa")
    assert (queued, running.state, done.state) == ("queued", "running", "done")
    assert (held.asked, book.result("aa")) == (b"question", b"answer")
    assert (done.submitted_at, done.started_at, done.ended_at) == (1.0, 2.0, 3.0)


def test_tasks_are_claimed_in_the_order_of_their_submission(book):
    book.submit([task("aa", 1.0), task("bb", 2.0), task("cc", 3.0)])

    assert [one.id for one in claim(book, 9.0, most=2)] == ["aa", "bb"]
    assert [one.id for one in claim(book, 9.0, most=2)] == ["cc"]


def test_a_claimed_task_is_nobody_elses_until_its_lease_ends(book):
    book.submit([task("aa")])
    (first,) = claim(book, 1.0)

    assert not book.is_due(LEASE_S)
    assert claim(book, LEASE_S) == []
    (second,) = claim(book, 1.0 + LEASE_S)
    assert second.token > first.token


def test_a_renewed_lease_lasts(book):
    book.submit([task("aa")])
    (held,) = claim(book, 1.0)

    assert book.renew([("aa", held.token)], 50.0) == [True]

    assert claim(book, 49.0) == []


def test_whoever_lost_a_task_can_neither_finish_nor_renew_nor_release_it(book):
    book.submit([task("aa")])
    (late,) = claim(book, 1.0)
    (new,) = claim(book, 1.0 + LEASE_S)

    assert not book.finish("aa", late.token, "done", 12.0, answered=b"late")
    assert book.renew([("aa", late.token)], 99.0) == [False]
    assert not book.release("aa", late.token, 0.0)

    assert book.finish("aa", new.token, "done", 13.0, answered=b"new")
    assert book.result("aa") == b"new"


def test_a_task_that_costs_too_many_workers_has_failed(book):
    book.submit([task("aa")])
    for attempt in range(ATTEMPTS):
        assert len(claim(book, 1.0 + attempt * LEASE_S)) == 1

    assert claim(book, 1.0 + ATTEMPTS * LEASE_S) == []

    assert (book.status("aa").state, book.status("aa").reason) == ("failed", "attempts")


def test_a_task_given_back_costs_no_attempt_and_waits_until_it_is_due(book):
    book.submit([task("aa")])
    for round_s in range(ATTEMPTS + 2):
        (held,) = claim(book, float(round_s))
        assert book.release("aa", held.token, round_s + 1.0)
        assert claim(book, round_s + 0.5) == []

    assert book.status("aa").attempts == 0


def test_a_task_past_its_deadline_is_expired_and_never_claimed(book):
    book.submit([task("aa", 1.0, lasts_s=5.0)])

    assert claim(book, 6.0) == []

    assert (book.status("aa").state, book.status("aa").reason) == ("expired", "deadline")


def test_a_waiting_task_is_cancelled_at_once(book):
    book.submit([task("aa")])

    assert book.cancel("aa", 1.0).state == "cancelled"

    assert claim(book) == []


def test_a_running_task_is_taken_from_its_worker(book):
    book.submit([task("aa")])
    (held,) = claim(book)

    book.cancel("aa", 2.0)

    assert book.renew([("aa", held.token)], 99.0) == [False]
    assert not book.finish("aa", held.token, "done", 3.0)


def test_cancelling_what_has_ended_changes_nothing(book):
    book.submit([task("aa")])
    (held,) = claim(book)
    book.finish("aa", held.token, "done", 2.0, answered=b"kept")

    assert book.cancel("aa", 3.0).state == "done"
    assert book.result("aa") == b"kept"


def test_a_key_names_one_task(book):
    first, again = (book.submit([task(id, key="k")])[0] for id in ("aa", "bb"))

    assert (first.outcome, again.outcome, again.id) == ("queued", "known", "aa")


def test_a_key_with_another_body_is_a_conflict(book):
    book.submit([task("aa", key="k")])

    (other,) = book.submit([task("bb", key="k", asked=b"other")])

    assert (other.outcome, other.id) == ("conflict", "aa")


def test_two_owners_may_use_the_same_key(book):
    tasks = [task("aa", key="k", owner="one"), task("bb", key="k", owner="two")]

    assert [one.outcome for one in book.submit(tasks)] == ["queued", "queued"]


def test_a_full_queue_refuses_new_tasks_and_knows_old_ones(path):
    book = TaskBook(path, capacity=2)
    tasks = [task("aa", key="k"), task("bb"), task("cc"), task("dd", key="k")]

    outcomes = [one.outcome for one in book.submit(tasks)]

    assert outcomes == ["queued", "queued", "full", "known"]
    (held,) = claim(book)
    book.finish(held.id, held.token, "done", 2.0)
    assert book.submit([task("ee")])[0].outcome == "queued"
    book.close()


def test_an_owner_lists_its_own_tasks_the_newest_first(book):
    book.submit(
        [
            task("aa", owner="me"),
            task("bb", owner="you"),
            task("cc", owner="me", workflow="other"),
            task("dd", owner="me"),
        ]
    )
    book.cancel("aa", 1.0)

    def ids(**asked):
        return [one.id for one in book.owned("me", **asked)]

    assert ids() == ["dd", "cc", "aa"]
    assert ids(workflow="w") == ["dd", "aa"]
    assert ids(state="cancelled") == ["aa"]
    assert ids(most=1) == ["dd"]


def test_what_ended_long_ago_is_swept_and_what_is_open_is_not(book):
    book.submit([task("aa"), task("bb"), task("cc", lasts_s=3.0)])
    (held,) = claim(book)
    book.finish("aa", held.token, "done", 2.0)

    assert book.sweep(50.0, retention_s=40.0) == 1

    with pytest.raises(NotFoundError):
        book.status("aa")
    assert book.status("bb").state == "queued"
    assert book.status("cc").state == "expired"


@pytest.mark.parametrize("id", ["zz", "aa"])
def test_an_unknown_id_is_not_found(book, id):
    with pytest.raises(NotFoundError):
        book.status(id)


def test_tasks_and_results_outlive_the_process(path):
    book = TaskBook(path)
    book.submit([task("aa"), task("bb")])
    (held,) = claim(book)
    book.finish("aa", held.token, "done", 2.0, answered=b"answer")
    book.close()

    again = TaskBook(path)

    assert again.result("aa") == b"answer"
    assert [one.id for one in claim(again)] == ["bb"]
    again.close()


@pytest.mark.parametrize(("point", "kept"), [("before commit", False), ("after commit", True)])
def test_a_submission_is_whole_or_absent_whenever_its_process_dies(path, point, kept):
    TaskBook(path).close()

    assert ended(die_at, path, point) == KILLED

    book = TaskBook(path)
    assert bool(claim(book)) == kept
    book.close()


def test_the_task_of_a_worker_that_died_is_done_by_another(book, path):
    book.submit([task("aa")])

    assert ended(claim_and_die, path, 1.0) == KILLED
    assert claim(book, 2.0) == []

    (held,) = claim(book, 1.0 + LEASE_S)
    assert (held.attempt, book.finish("aa", held.token, "done", 20.0)) == (2, True)


def test_processes_share_the_work_and_none_is_done_twice(book, path, tmp_path):
    names = [f"{number:02x}" for number in range(60)]
    book.submit([task(name) for name in names])
    journals = [tmp_path / f"{number}" for number in range(2)]

    workers = [processes.Process(target=race, args=(str(path), str(one))) for one in journals]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)

    won = [name for one in journals for name in one.read_text().split()]
    assert sorted(won) == names


def conversations(count, seed=1):
    """Texts that share their sentences, as conversations about one thing do."""
    dice = random.Random(seed)
    sentences = [
        " ".join("".join(dice.choices(string.ascii_lowercase, k=7)) for _ in range(12))
        for _ in range(400)
    ]
    return [json.dumps({"messages": dice.choices(sentences, k=60)}).encode() for _ in range(count)]


def frames(path):
    with sqlite3.connect(path) as connection:
        sizes = [len(frame) for (frame,) in connection.execute("SELECT frame FROM frames")]
    connection.close()
    return sizes


def test_a_learnt_dictionary_makes_old_and_new_payloads_smaller(book, path):
    texts = conversations(220)
    ids = [f"{number:04x}" for number in range(220)]
    tasks = [task(id, asked=one) for id, one in zip(ids, texts, strict=True)]
    book.submit(tasks[:200])
    for held in claim(book, most=10):
        book.finish(held.id, held.token, "done", 2.0, answered=held.asked)
    plain = frames(path)

    assert book.learn(1.0)
    assert not book.learn(2.0)
    book.submit(tasks[200:])

    assert max(frames(path)) < 0.5 * min(plain)
    assert [book.result(id) for id in ids[:10]] == texts[:10]
    assert [one.asked for one in claim(book, most=220)] == texts[10:]


def test_an_unreadable_payload_keeps_no_dictionary_from_being_learnt(book, path):
    book.submit([task(f"{n:04x}", asked=one) for n, one in enumerate(conversations(200))])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE frames SET frame = x'00' WHERE number = 7")
    connection.close()

    assert book.learn(1.0)


def test_a_file_shrinks_when_its_tasks_are_swept(book, path):
    book.submit([task(f"{n:04x}", asked=one) for n, one in enumerate(conversations(300))])
    for number in range(300):
        book.cancel(f"{number:04x}", 2.0)

    book.sweep(1e5, retention_s=1.0)

    with sqlite3.connect(path) as connection:
        free, left = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("freelist_count", "page_count")
        )
    connection.close()
    assert (free, left < 20, frames(path)) == (0, True, [])


def test_another_process_reads_what_it_has_no_dictionary_for_yet(path):
    old, new = TaskBook(path), TaskBook(path)
    old.submit([task(f"{n:04x}", asked=one) for n, one in enumerate(conversations(200))])
    assert old.learn(1.0)
    old.submit([task("aaaa", 5.0, asked=b"packed with it")])

    claimed = claim(new, 9.0, most=300)

    assert claimed[-1].asked == b"packed with it"
    old.close()
    new.close()


def test_a_dictionary_that_nothing_can_need_is_dropped(book, path):
    texts = conversations(1400)
    ids = [f"{number:04x}" for number in range(1400)]
    tasks = [task(id, asked=one) for id, one in zip(ids, texts, strict=True)]
    book.submit(tasks[:200])
    assert book.learn(10.0)
    book.submit(tasks[200:])
    assert book.learn(20.0)
    for id in ids:
        book.cancel(id, 30.0)

    assert sum(book.sweep(1e5, retention_s=1.0) for _ in range(3)) == 1400

    with sqlite3.connect(path) as connection:
        left = connection.execute("SELECT version FROM dictionaries").fetchall()
    connection.close()
    book.submit([task("aa", 1e5, asked=texts[0])])
    assert (left, claim(book, 1e5)[0].asked) == ([(2,)], texts[0])


def test_an_unreadable_task_fails_alone(book, path):
    book.submit([task("aa"), task("bb")])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE frames SET frame = x'28b52ffd00' WHERE number = 1")
    connection.close()

    assert [one.id for one in claim(book, most=2)] == ["bb"]

    assert (book.status("aa").state, book.status("aa").reason) == ("failed", "unreadable")


class Queue(RuleBasedStateMachine):
    """Whatever happens, an accepted task has one ending, and only its last holder gives it."""

    def __init__(self):
        super().__init__()
        self.folder = _folder()
        self.book = TaskBook(self.folder / "tasks.db", capacity=6)
        self.now, self.count = 1.0, 0
        self.held, self.endings = [], {}

    @rule()
    def submit(self):
        self.count += 1
        id = f"{self.count:04x}"
        (answer,) = self.book.submit([task(id, self.now, lasts_s=60.0)])
        if answer.outcome == "queued":
            self.endings[id] = None

    @rule(most=st.integers(1, 3))
    def claim(self, most):
        self.held += self.book.claim(self.now, LEASE_S, most=most)

    @rule(data=st.data())
    def finish(self, data):
        if self.held:
            one = data.draw(st.sampled_from(self.held))
            if self.book.finish(one.id, one.token, "done", self.now, answered=b"%d" % one.token):
                assert self.endings[one.id] is None
                assert one.token == max(two.token for two in self.held if two.id == one.id)
                self.endings[one.id] = b"%d" % one.token

    @rule(data=st.data())
    def release(self, data):
        if self.held:
            one = data.draw(st.sampled_from(self.held))
            self.book.release(one.id, one.token, self.now)

    @rule(wait_s=st.floats(0.1, 15.0))
    def wait(self, wait_s):
        self.now += wait_s

    @rule()
    def reopen(self):
        self.book.close()
        self.book = TaskBook(self.folder / "tasks.db", capacity=6)

    @invariant()
    def results_stand(self):
        for id, answer in self.endings.items():
            if answer is not None:
                assert self.book.result(id) == answer
                assert self.book.status(id).state == "done"

    @invariant()
    def no_accepted_task_is_lost(self):
        assert sum(self.book.counts().values()) == len(self.endings)
        counts = self.book.counts()
        assert counts.get("queued", 0) + counts.get("running", 0) <= 6

    def teardown(self):
        self.book.close()


def _folder():

    return Path(tempfile.mkdtemp())


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
