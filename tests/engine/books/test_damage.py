"""Whatever happens to a file, its neighbours stay readable, and the damage has a name."""

import os
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import wait
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.books import lock
from engine.books.catalogue import Catalogue
from engine.books.compactor import Compactor
from engine.books.feedback import FeedbackBook
from engine.books.group import GroupCommit
from engine.books.quarantine import quarantine_damaged, set_spool_aside
from engine.books.spool import lock_path
from engine.books.store import Store
from engine.errors import StoreCorruptError, StoreFullError
from tests.engine.books import full_disk
from tests.engine.books.examples import ids, ship, write
from tests.engine.books.facts import exposure, score, spool_in

KINDS = ("exposure", "trace", "feedback")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A store with two files of each kind."""
    root = tmp_path_factory.mktemp("whole")
    for name in "ab":
        write(root, name, writer=f"e{name}")
        write(root, name, kind="trace", writer=f"t{name}")
        with closing(FeedbackBook(root / "feedback.db")) as book:
            book.record([score(name)])
        ship(root)
    return root


def damaged(data, place, how):
    """The bytes of a file after a torn write, a lost tail, a lost body or a bad bit."""
    cut = place % len(data)
    return {
        "torn": data[:cut] + b"\0" * (len(data) - cut),
        "truncated": data[:cut],
        "empty": b"",
        "flipped": data[:cut] + bytes([data[cut] ^ 0x10]) + data[cut + 1 :],
        "rubbish": b"\xa5" * len(data),
    }[how]


@given(
    st.sampled_from(KINDS),
    st.integers(0, 1 << 30),
    st.sampled_from(["torn", "truncated", "empty", "flipped", "rubbish"]),
)
@settings(max_examples=40, deadline=None)
def test_a_damaged_file_is_set_aside_and_everything_else_is_read(
    tmp_path_factory, whole, kind, place, how
):
    root = tmp_path_factory.mktemp("damaged") / "work"
    shutil.copytree(whole, root)
    files = sorted((root / "parquet" / kind).iterdir())
    victim = files[place % len(files)]
    before = victim.read_bytes()
    victim.write_bytes(after := damaged(before, place, how))

    problems = quarantine_damaged(root)

    harmed = after != before
    assert [problem.path for problem in problems] == [str(victim.relative_to(root))] * harmed
    for name in KINDS:
        assert len(ids(root, name)) == (1 if harmed and name == kind else 2)
    assert quarantine_damaged(root) == []
    assert len(list((root / "quarantine").glob("*"))) == harmed
    shutil.rmtree(root)


def test_strays_of_every_sort_are_neither_read_nor_in_the_way(tmp_path):
    write(tmp_path, "a")
    ship(tmp_path)
    folder = tmp_path / "parquet" / "exposure"
    for name in ("99.parquet", "tmp-half", "notes.txt", ".hidden", "1.parquet~"):
        (folder / name).write_bytes(b"PAR1")
    (tmp_path / "spools").mkdir(exist_ok=True)
    (tmp_path / "spools" / "stray.db").write_bytes(b"half a database")
    write(tmp_path, "b", writer="v")

    ship(tmp_path)

    assert ids(tmp_path) == ["a", "b"]
    with closing(Store(tmp_path)) as store:
        assert store.check() == []


def half_written(root, keep):
    """A writer that the power left in the middle of a write: so many bytes of its log are there."""
    spool = spool_in(root, "half")
    for number in range(20):
        spool.write([("exposure", exposure(str(number)))])
    log = spool.path.with_name(f"{spool.path.name}-wal")
    dead = root / "spools" / "dead"
    dead.mkdir()
    shutil.copy(spool.path, dead)
    shutil.copy(log, dead)
    spool.close()
    for path in dead.iterdir():
        shutil.move(path, spool.path.parent / path.name)
    dead.rmdir()
    size = log.stat().st_size
    os.truncate(log, min(size, keep % (size + 1)))


@given(st.integers(0, 1 << 20))
@settings(max_examples=25, deadline=None)
def test_a_half_written_spool_gives_what_it_finished(tmp_path_factory, keep):
    root = tmp_path_factory.mktemp("half")
    half_written(root, keep)
    write(root, "other", writer="v")

    try:
        ship(root)
    except StoreCorruptError as error:
        # so early that not even its tables were there
        assert "half.db" in str(error)  # noqa: PT017 - the law is about either way
        read = ids(root)
    else:
        read = ids(root)

    assert read.count("other") == 1
    read.remove("other")
    assert read == [str(number) for number in range(len(read))]
    shutil.rmtree(root)


def torn(root, writer):
    write(root, *(str(number) for number in range(200)), writer=writer)
    path = root / "spools" / f"{writer}.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.seek(8_192)
        file.write(b"\xa5" * 8_192)
    return path


def test_a_damaged_spool_is_named_and_holds_no_other_up(tmp_path):
    torn(tmp_path, "bad")
    write(tmp_path, "a", writer="good")

    with pytest.raises(StoreCorruptError, match=r"bad\.db"):
        ship(tmp_path)

    read = ids(tmp_path)
    assert "a" in read
    assert len(read) == len(set(read))
    with closing(Store(tmp_path)) as store:
        assert [problem.path for problem in store.check()] == ["spools/bad.db"]


def test_a_dead_writers_torn_spool_stops_the_facts_of_others_once_at_most(tmp_path):
    path = torn(tmp_path, "bad")
    write(tmp_path, "a", writer="good")

    with pytest.raises(StoreCorruptError, match="spools-bad"):
        ship(tmp_path)
    write(tmp_path, "b", writer="later")
    ship(tmp_path)

    assert {"a", "b"} <= set(ids(tmp_path))
    assert not path.exists()
    assert b"\xa5" * 4_096 in (tmp_path / "quarantine" / "spools-bad.db").read_bytes()
    with closing(Store(tmp_path)) as store:
        assert store.settled_at() > 0


def test_a_spool_whose_setting_aside_was_cut_off_is_retired_by_the_next_step(tmp_path):
    path = torn(tmp_path, "bad")
    set_spool_aside(tmp_path, path)

    ship(tmp_path)

    with closing(Catalogue(tmp_path / "catalogue.db")) as catalogue:
        assert catalogue.spools() == []


def test_a_living_writers_torn_spool_stays_where_it_is(tmp_path):
    path = torn(tmp_path, "bad")
    held = lock.take(lock_path(path))

    for _ in range(2):
        with pytest.raises(StoreCorruptError, match=r"bad\.db"):
            ship(tmp_path)

    held.release()
    assert path.exists()


@pytest.mark.skipif(not full_disk.allowed(), reason="no namespace for a disk of our own here")
def test_on_a_really_full_disk_nothing_is_paid_for_and_space_heals_it(tmp_path):
    told = full_disk.told(tmp_path)

    assert told["refused"] > 100
    assert told["feedback"] == "refused"
    assert told["still_refused"] == 0
    assert sorted(told["stored"]) == sorted(told["acknowledged"])
    assert told["keys"] == ["l"]


READ_ONLY = """
import sys
from pathlib import Path
from engine.errors import StoreFullError
from tests.engine.books.facts import exposure, spool_in
import subprocess

root = Path(sys.argv[1])
spool = spool_in(root, "before")
subprocess.run(["mount", "--bind", str(root), str(root)], check=True)
subprocess.run(["mount", "-o", "remount,ro,bind", str(root)], check=True)
try:
    spool_in(root, "after")
except StoreFullError as error:
    print(error)
"""


@pytest.mark.skipif(not full_disk.allowed(), reason="no namespace for a mount of our own here")
def test_a_folder_that_became_read_only_refuses_and_says_where(tmp_path):
    done = subprocess.run(
        [*full_disk.ALONE, sys.executable, "-c", READ_ONLY, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stderr
    assert str(tmp_path) in done.stdout
    assert "retry" in done.stdout


def test_on_a_slow_disk_groups_grow_and_beyond_the_cap_is_refused():
    disk = SlowDisk()
    group = GroupCommit(disk.write, capacity=100, most=64)
    group.submit(0)
    disk.began.acquire()

    taken, refused = [], 0
    for number in range(1, 400):
        try:
            taken.append(group.submit(number))
        except StoreFullError:
            refused += 1
    disk.may.release(3)
    wait(taken, timeout=5)
    group.close()

    assert (len(taken), refused) == (100, 299)
    assert disk.groups == [1, 64, 36]


class SlowDisk:
    """An fsync that takes as long as it is told to."""

    def __init__(self):
        from threading import Semaphore

        self.groups, self.began, self.may = [], Semaphore(0), Semaphore(0)

    def write(self, items):
        self.groups.append(len(items))
        self.began.release()
        self.may.acquire()
        return items


def test_a_compactor_starts_beside_damage(tmp_path, whole):
    root = tmp_path / "work"
    shutil.copytree(whole, root)
    next(Path(root / "parquet" / "trace").iterdir()).write_bytes(b"")
    write(root, "c", writer="v")

    with closing(Compactor(root)) as compactor:
        shipped = sum(_steps(compactor))

    assert shipped == 1
    assert len(ids(root)) == 3


def _steps(compactor):
    for _ in range(3):
        try:
            yield compactor.step(1.0)
        except StoreCorruptError:
            yield 0
