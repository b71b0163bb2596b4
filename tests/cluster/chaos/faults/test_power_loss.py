"""A disk that keeps only what was synced: what was acknowledged must be on it."""

import os
import shutil
import stat

import pytest

from engine.books.compactor import Compactor
from engine.books.feedback import FeedbackBook
from engine.books.merging import merge
from engine.books.points import POINTS
from engine.books.sqlite import Database
from tests.engine.books.examples import ids, ship
from tests.engine.books.facts import exposure, score, spool_in, trace

FULL = 2
"""What SQLite calls `synchronous=FULL`."""


class Disk:
    """Remembers what every file and folder held when it was last synced."""

    def __init__(self, monkeypatch):
        self.files = {}
        self.folders = {}
        self._sync = os.fsync
        monkeypatch.setattr(os, "fsync", self._synced)

    def _synced(self, handle):
        self._sync(handle)
        path, about = f"/proc/self/fd/{handle}", os.fstat(handle)
        if stat.S_ISDIR(about.st_mode):
            names = os.listdir(path)  # noqa: PTH208 - a handle, not a path
            self.folders[about.st_ino] = {name: os.stat(f"{path}/{name}") for name in names}  # noqa: PTH116
        else:
            with open(path, "rb") as file:  # noqa: PTH123 - a handle, not a path
                self.files[about.st_ino] = file.read()

    def after_the_loss(self, inode, target):
        """Put what was synced of a folder at another place."""
        target.mkdir(parents=True, exist_ok=True)
        for name, about in self.folders.get(inode, {}).items():
            if stat.S_ISDIR(about.st_mode):
                self.after_the_loss(about.st_ino, target / name)
            elif not _is_sqlite(name):
                (target / name).write_bytes(self.files.get(about.st_ino, b""))


def _is_sqlite(name):
    return name.endswith((".db", ".db-wal", ".db-shm", ".lock"))


def lost_power(disk, root, target):
    """The workspace as it comes up again; SQLite syncs its own files, see the test below."""
    disk.after_the_loss(root.stat().st_ino, target)
    for path in root.rglob("*.db*"):
        copy = target / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)


def live(root, acknowledge, passing):
    """Two writers and a client are acknowledged, their facts are shipped and merged."""
    book = FeedbackBook(root / "feedback.db", passing=passing)
    book.record([score("key")])
    acknowledge("key")
    for writer in ("a", "b"):
        spool = spool_in(root, writer, passing=passing)
        spool.write([("exposure", exposure(writer)), ("trace", trace(writer))])
        acknowledge(writer)
        spool.close()
    compactor = Compactor(root, passing=passing)
    compactor.step(2.0)
    # roll-ups follow a step behind
    compactor.step(2.0)
    merge(compactor, "exposure", 3.0, least_files=2)
    compactor.step(4.0)
    compactor.close()
    book.close()


@pytest.mark.parametrize("point", POINTS)
def test_what_is_listed_survives_a_loss_of_power_at_any_point(tmp_path, monkeypatch, point):
    disk, root = Disk(monkeypatch), tmp_path / "ws"
    acknowledged, lost = [], []
    root.mkdir()

    def passing(at):
        if at == point:
            lost.append((tmp_path / f"lost-{len(lost)}", set(acknowledged)))
            lost_power(disk, root, lost[-1][0])

    live(root, acknowledged.append, passing)

    assert lost
    for target, told in lost:
        ship(target)
        stored = ids(target) + ids(target, "feedback")
        assert len(stored) == len(set(stored))
        assert told <= set(stored)
        assert sorted(ids(target, "trace")) == sorted(ids(target))


def test_the_disk_of_these_tests_forgets_what_was_not_synced(tmp_path, monkeypatch):
    disk, root = Disk(monkeypatch), tmp_path / "ws"
    root.mkdir()
    (root / "unsynced").write_text("lost")

    lost_power(disk, root, tmp_path / "lost")

    assert list((tmp_path / "lost").iterdir()) == []


def test_every_commit_waits_for_the_disk(tmp_path):
    database = Database(tmp_path / "book.db", ("CREATE TABLE facts(id INTEGER) STRICT",))

    with database.reading() as connection:
        (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
        (journal,) = connection.execute("PRAGMA journal_mode").fetchone()

    assert (synchronous, journal) == (FULL, "wal")
    database.close()
