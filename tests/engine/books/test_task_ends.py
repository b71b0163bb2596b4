import json
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path

import pytest
import zstandard
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.books.tasks import TaskBook
from engine.config.tasks import ATTEMPTS
from tests.engine.books.task_children import task

LEASE_S = 10.0
SECRET = b"4000-1234-5678-9010"
ASKED = json.dumps({"input": f"is {SECRET.decode()} my card?"}).encode()


def masked(payload):
    return payload.replace(SECRET, b"[card]")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tasks.db"


@pytest.fixture
def book(path):
    book = TaskBook(path, masking=masked)
    yield book
    book.close()


def frames(path):
    """What is kept of every task's request and answer, packed."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT frame FROM frames ORDER BY number").fetchall()
    connection.close()
    return [frame for (frame,) in rows]


def claim(book, now=1.0):
    (held,) = book.claim(now, LEASE_S, most=1)
    return held


def finish(book, ending="done", answered=None, now=2.0):
    held = claim(book, now)
    assert book.finish(held.id, held.token, ending, now, answered=answered)


def wear_out(book):
    for attempt in range(ATTEMPTS):
        claim(book, 1.0 + attempt * LEASE_S)
    assert book.claim(1.0 + ATTEMPTS * LEASE_S, LEASE_S, most=1) == []


ENDS = {
    "done": ("done", finish),
    "failed": ("failed", lambda book: finish(book, "failed")),
    "worn out": ("failed", wear_out),
    "cancelled": ("cancelled", lambda book: book.cancel("aa", 2.0)),
    "cancelled while running": ("cancelled", lambda book: (claim(book), book.cancel("aa", 2.0))),
    "late when claimed": ("expired", lambda book: book.claim(1e9, LEASE_S, most=1)),
    "late when swept": ("expired", lambda book: book.sweep(1e9, retention_s=1e9)),
}


@pytest.mark.parametrize(("state", "end"), ENDS.values(), ids=ENDS)
def test_what_a_task_asked_is_gone_once_the_task_has_ended(book, path, state, end):
    book.submit([task("aa", asked=ASKED)])
    (packed,) = frames(path)

    end(book)

    assert book.status("aa").state == state
    assert frames(path) == []
    book.close()
    assert packed not in path.read_bytes()


@pytest.mark.parametrize(("state", "end"), ENDS.values(), ids=ENDS)
def test_without_masking_it_stays_as_long_as_the_task_is_known(path, state, end):
    book = TaskBook(path)
    book.submit([task("aa", asked=ASKED)])

    end(book)

    assert (book.status("aa").state, len(frames(path))) == (state, 1)
    book.close()


def test_an_open_task_is_worked_as_it_was_asked(book):
    book.submit([task("aa", asked=ASKED)])

    held = claim(book)
    book.release("aa", held.token, 2.0)

    assert (held.asked, claim(book, 3.0).asked) == (ASKED, ASKED)


def test_a_result_reaches_its_owner_unmasked_until_it_is_swept(book, path):
    book.submit([task("aa", asked=ASKED)])
    finish(book, answered=ASKED)

    assert [book.result("aa"), book.result("aa")] == [ASKED, ASKED]

    (packed,) = frames(path)
    book.sweep(50.0, retention_s=10.0)
    assert frames(path) == []
    book.close()
    assert packed not in path.read_bytes()


def test_a_swept_task_takes_nothing_of_another_with_it(book):
    book.submit([task("aa", asked=ASKED)])
    book.cancel("aa", 2.0)
    # its frame gets the number that became free
    book.submit([task("bb", asked=ASKED)])

    assert book.sweep(50.0, retention_s=10.0) == 1

    assert claim(book, 51.0).asked == ASKED


def test_a_key_is_known_after_what_it_asked_is_gone(book):
    book.submit([task("aa", key="k", asked=ASKED)])
    finish(book)

    answers = book.submit([task("bb", key="k", asked=asked) for asked in (ASKED, b"other")])

    assert [(one.outcome, one.id) for one in answers] == [("known", "aa"), ("conflict", "aa")]


def dictionaries(path):
    with sqlite3.connect(path) as connection:
        (packed,) = connection.execute("SELECT body FROM dictionaries").fetchone()
    connection.close()
    return zstandard.ZstdDecompressor().decompress(packed)


@pytest.mark.parametrize(("masking", "is_kept"), [(masked, False), (None, True)])
def test_no_dictionary_holds_what_must_not_outlive_its_task(path, masking, is_kept):
    book = TaskBook(path, masking=masking)
    texts = [b"%06d " % number + ASKED * 60 for number in range(300)]
    book.submit([task(f"{n:04x}", asked=text) for n, text in enumerate(texts)])
    for held in book.claim(1.0, LEASE_S, most=100):
        book.finish(held.id, held.token, "done", 2.0, answered=held.asked)

    assert book.learn(3.0)

    assert (SECRET in dictionaries(path)) == is_kept
    assert [book.result(f"{number:04x}") for number in range(100)] == texts[:100]
    assert [one.asked for one in book.claim(4.0, LEASE_S, most=300)] == texts[100:]
    book.close()


def test_a_process_tells_only_of_what_it_ended_itself_and_once(path):
    one, other = TaskBook(path), TaskBook(path)
    one.submit([task("aa"), task("bb")])
    finish(one)
    other.cancel("bb", 2.0)
    other.cancel("bb", 3.0)

    assert (one.endings(), other.endings()) == ({"done": 1}, {"cancelled": 1})
    assert (one.endings(), other.endings()) == ({}, {})
    one.close()
    other.close()


def test_a_queue_says_how_long_its_oldest_waiting_task_has_waited(book):
    nothing = book.standing(5.0)
    book.submit([task("aa", 1.0), task("bb", 3.0)])
    both = book.standing(11.0)
    claim(book, 11.0)

    one = book.standing(11.0)

    assert (nothing.waiting, nothing.running, nothing.oldest_s) == (0, 0, 0.0)
    assert (both.waiting, both.running, both.oldest_s) == (2, 0, 10.0)
    assert (one.waiting, one.running, one.oldest_s) == (1, 1, 8.0)


class Endings(RuleBasedStateMachine):
    """Whatever happens, each ending is told once, and what may stay is kept, and nothing else."""

    def __init__(self):
        super().__init__()
        self.path = Path(tempfile.mkdtemp()) / "tasks.db"
        self.book = TaskBook(self.path, masking=masked)
        self.now, self.count = 1.0, 0
        self.held, self.told, self.answers = [], Counter(), {}

    @rule(lasts_s=st.sampled_from([3.0, 1e6]))
    def submit(self, lasts_s):
        self.count += 1
        id = f"{self.count:04x}"
        self.book.submit([task(id, self.now, asked=id.encode(), lasts_s=lasts_s)])

    @rule(most=st.integers(1, 3))
    def claim(self, most):
        for one in self.book.claim(self.now, LEASE_S, most=most):
            assert one.asked == one.id.encode()
            self.held.append(one)

    @rule(data=st.data(), ending=st.sampled_from(["done", "failed", "expired"]))
    def finish(self, data, ending):
        if self.held:
            one = data.draw(st.sampled_from(self.held))
            answer = b"%d answers %s" % (one.token, one.asked)
            if self.book.finish(one.id, one.token, ending, self.now, answered=answer):
                self.answers[one.id] = answer

    @rule(data=st.data())
    def cancel(self, data):
        if known := self.book.owned("", most=1_000):
            self.book.cancel(data.draw(st.sampled_from(known)).id, self.now)

    @rule(wait_s=st.floats(0.1, 15.0))
    def wait(self, wait_s):
        self.now += wait_s

    @rule()
    def sweep(self):
        self.book.sweep(self.now, retention_s=20.0)

    @rule()
    def reopen(self):
        self.book.close()
        self.book = TaskBook(self.path, masking=masked)

    @invariant()
    def each_ending_is_told_once(self):
        self.told += self.book.endings()
        standing = self.book.standing(self.now)
        assert self.told.total() + standing.waiting + standing.running == self.count

    @invariant()
    def what_is_open_keeps_its_request_and_what_is_known_its_answer(self):
        known = self.book.owned("", most=1_000)
        answered = [one.id for one in known if one.id in self.answers]
        open_ = [one for one in known if one.ended_at is None]
        assert len(frames(self.path)) == len(open_) + len(answered)
        assert all(self.book.result(id) == self.answers[id] for id in answered)

    def teardown(self):
        self.book.close()


TestEndings = Endings.TestCase
TestEndings.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
