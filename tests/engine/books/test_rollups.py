"""Roll-ups are a mirror of the store: whatever happens to them, they say what its traces say."""

import json
import sqlite3
from contextlib import closing

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from engine.books.compactor import Compactor
from engine.books.feedback import FeedbackBook
from engine.books.merging import merge
from engine.books.quarantine import quarantine
from engine.books.rollups import LEAST_SMALL, Rollups
from engine.books.store import Store
from engine.evidence.rollup import WORST, added, rolled
from engine.evidence.rollup_parts import index_of
from tests.engine.books.facts import exposure, score, spool_in, trace

SPANS = json.dumps([{"node": "answer", "duration_s": 0.5, "status": "ok"}])


@pytest.fixture
def life(tmp_path):
    life = Life(tmp_path)
    yield life
    life.close()


class Life:
    """A workspace with a writer and a compactor."""

    def __init__(self, root):
        self.root = root
        self.spool, self.compactor = spool_in(root), Compactor(root)
        self.store, self.rollups = Store(root), Rollups(root)

    def serve(self, *names, forced=False, spans=SPANS):
        for name in names:
            seen = exposure(name) | {"forced": forced}
            done = trace(name) | {"workflow": "docs", "duration_s": 1.0, "spans": spans}
            self.spool.write([("exposure", seen), ("trace", done)])
        self.compactor.step(1.0)

    def told(self):
        sums = added([self.rollups.read(self.store, since=0.0, rated_since=0.0).sums])
        return sums.drop(*WORST)

    def close(self):
        for one in (self.spool, self.compactor, self.store, self.rollups):
            one.close()


def calls(sums):
    return dict(sums.group_by("node").agg(pl.col("calls").sum()).rows())


def test_a_step_rolls_up_what_the_steps_before_it_shipped(life):
    life.serve("a", "b")
    assert life.rollups.upto() == 0

    life.serve("c")

    assert life.rollups.upto() == life.store.read("trace", columns=["at"])["batch"].min()
    assert calls(life.told()) == {"": 3, "answer": 3}


def test_roll_ups_say_what_the_traces_say(life):
    for name in "abcde":
        life.serve(name)

    assert_frame_equal(life.told(), added([rolled(life.store.read("trace"))]).drop(*WORST))


def test_many_small_leaves_become_one_and_say_the_same(life):
    for number in range(LEAST_SMALL + 2):
        life.serve(f"t{number}")

    assert_frame_equal(life.told(), added([rolled(life.store.read("trace"))]).drop(*WORST))
    assert len(life.rollups.leaves()) < LEAST_SMALL


def test_merged_files_are_not_rolled_up_twice(life):
    for name in "abcd":
        life.serve(name)
    merge(life.compactor, "trace", 2.0, least_files=2)
    life.serve("e")

    assert calls(life.told()) == {"": 5, "answer": 5}


def test_roll_ups_that_are_lost_are_made_again(life):
    for name in "abc":
        life.serve(name)
    before = life.told()

    life.rollups.clear()
    life.compactor.step(2.0)

    assert life.rollups.upto() == life.store.read("trace", columns=["at"])["batch"].max()
    assert_frame_equal(life.told(), before)


def test_roll_ups_that_another_version_made_are_made_again(life):
    life.serve("a", "b")
    before = life.told()
    life.rollups.close()
    with closing(sqlite3.connect(life.root / "rollups.db")) as other:
        other.execute("UPDATE leaves SET sums = x'00'")
        other.execute("PRAGMA application_id = 1")
        other.commit()

    life.rollups = Rollups(life.root)
    life.compactor.step(2.0)

    assert_frame_equal(life.told(), before)


def test_what_testers_forced_is_left_out_of_roll_ups_and_of_what_is_newer(life):
    life.serve("a")
    life.serve("b", forced=True)
    life.serve("c")
    assert life.rollups.upto() > 0
    assert calls(life.told()) == {"": 2, "answer": 2}

    life.serve("d", forced=True)

    assert calls(life.told()) == {"": 2, "answer": 2}


def test_a_rating_finds_the_parts_of_its_trace_whenever_it_comes(life):
    for name in "abc":
        life.serve(name)
    book = FeedbackBook(life.root / "feedback.db")
    book.record([score("k", trace_id="a"), score("l", trace_id="c")])
    book.close()
    life.compactor.step(2.0)

    read = life.rollups.read(life.store, since=0.0, rated_since=0.0)

    assert sorted(read.feedback["trace_id"]) == ["a", "c"]
    every = index_of(life.store.read("trace"))
    assert_frame_equal(read.index, every.filter(pl.col("trace_id") != "b"))


def test_spans_that_nobody_can_read_hide_no_other_trace(life):
    life.serve("a")
    life.serve("b", spans="{torn")
    life.serve("c")
    life.serve("d")

    assert calls(life.told()) == {"": 4, "answer": 3}


def test_a_quarantined_file_leaves_the_roll_ups_too(life):
    for name in "abc":
        life.serve(name)
    gone = life.store.read("trace", columns=["trace_id"])["batch"].min()
    path = f"parquet/trace/{gone}.parquet"
    (life.root / path).write_bytes(b"PAR1 torn")

    quarantine(life.root, path)
    life.compactor.step(2.0)

    assert calls(life.told()) == {"": 2, "answer": 2}


def test_what_is_older_than_asked_for_is_not_read(life):
    for name in "ab":
        life.serve(name)
    life.compactor.step(2.0)

    assert life.rollups.read(life.store, since=50.0, rated_since=50.0).sums.is_empty()


def test_a_damaged_book_of_roll_ups_is_begun_again(tmp_path):
    (tmp_path / "rollups.db").write_bytes(b"no database" * 1000)

    rollups = Rollups(tmp_path)

    assert rollups.upto() == 0
    rollups.close()
