"""A backup holds every acknowledged fact once, and putting it back gives all of them."""

import sqlite3
from contextlib import closing

import pytest

from engine.books.active import read_active, write_active
from engine.books.backup import backup, backups_of, check_books, restore, torn_spools
from engine.books.compactor import Compactor
from engine.books.feedback import FeedbackBook
from engine.books.ledger import Ledger
from engine.books.secret import workspace_secret
from engine.errors import BookError, NotFoundError, StoreCorruptError
from tests.engine.books.examples import Child, ids, ship, write
from tests.engine.books.facts import exposure, score, spool_in

AT = 1_800_000_000.0


@pytest.fixture
def root(tmp_path):
    """A workspace with shipped and unshipped facts, a ledger, a secret and settings."""
    root = tmp_path / "work"
    write(root, "shipped")
    with closing(FeedbackBook(root / "feedback.db")) as book:
        book.record([score("k")])
        ship(root)
        book.record([score("l")])
    write(root, "waiting", writer="v")
    with closing(Ledger(str(root / "ledger.db"))) as ledger:
        ledger.append("Kept", {}, expected=0, at=1.0, actor="a")
    workspace_secret(root)
    write_active(root, "docs", "workflow: docs")
    return root


def overwrite(book, place=4096, size=4096):
    """Let a page of a database become rubbish, as a bad disk does."""
    with closing(sqlite3.connect(book)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with book.open("r+b") as file:
        file.seek(place)
        file.write(b"\xa5" * size)


def test_a_restored_workspace_holds_what_the_backup_held(root):
    secret = workspace_secret(root)
    copy = backup(root, AT)
    write(root, "later", writer="u")

    aside = restore(copy, root)
    ship(root)

    assert sorted(ids(root)) == ["shipped", "waiting"]
    assert sorted(ids(root, "feedback")) == ["k", "l"]
    assert workspace_secret(root) == secret
    assert (root / "secret").stat().st_mode & 0o777 == 0o600
    assert read_active(root, "docs") == "workflow: docs"
    with closing(Ledger(str(root / "ledger.db"))) as ledger:
        assert ledger.check_chain() == 1
    assert (aside / "spools" / "u.db").exists()


def test_feedback_given_after_a_restore_is_shipped(root):
    restore(backup(root, AT), root)
    with closing(FeedbackBook(root / "feedback.db")) as book:
        assert book.record([score("k"), score("m")]) == ["duplicate", "stored"]

    ship(root)

    assert sorted(ids(root, "feedback")) == ["k", "l", "m"]


def test_a_backup_under_load_loses_and_doubles_nothing(root):
    child = Child("write_for_ever", root, "busy")
    compactor = Compactor(root)
    child.wait_for(20)
    copies = []
    for number in range(3):
        compactor.step(1.0)
        before = child.said()
        copies.append((before, backup(root, AT + number)))
        compactor.step(1.0)
    child.kill()
    compactor.close()

    for before, copy in copies:
        restore(copy, root)
        ship(root)
        stored = ids(root)
        assert len(stored) == len(set(stored))
        assert {*before, "shipped", "waiting"} <= set(stored)


@pytest.mark.parametrize("name", ["ledger.db", "catalogue.db", "feedback.db"])
def test_a_damaged_book_is_refused_with_the_command_that_restores_it(root, name):
    copy = backup(root, AT)
    overwrite(root / name)

    with pytest.raises(StoreCorruptError) as refused:
        check_books(root)
    assert f"{root / name}: damaged" in str(refused.value)
    assert f"trimtab restore {copy} --workspace {root}" in str(refused.value)

    restore(copy, root)
    check_books(root)
    assert sorted(ids(root)) == ["shipped"]


def test_a_torn_spool_is_named_and_is_no_damage_of_the_books(root):
    torn = root / "spools" / "half.db"
    torn.write_bytes(b"SQLite format 3\0" + bytes(range(200)))

    check_books(root)

    assert torn_spools(root) == [torn]
    copy = backup(root, AT)
    assert not (copy / "spools" / "half.db").exists()


def test_without_a_backup_the_refusal_says_so(root):
    overwrite(root / "ledger.db")

    with pytest.raises(StoreCorruptError, match="no backup of it"):
        check_books(root)


def test_a_damaged_workspace_makes_no_backup_and_spoils_none(root):
    first = backup(root, AT)
    overwrite(root / "ledger.db")

    with pytest.raises(StoreCorruptError):
        backup(root, AT + 1)

    assert list(backups_of(root).iterdir()) == [first]
    check_books(first)


def test_a_damaged_backup_changes_nothing(root):
    copy = backup(root, AT)
    (file,) = (copy / "parquet" / "exposure").iterdir()
    file.write_bytes(b"PAR1 torn")

    with pytest.raises(StoreCorruptError, match="another backup"):
        restore(copy, root)

    assert sorted(ids(root)) == ["shipped"]
    assert [path.name for path in root.parent.iterdir() if "tmp-" in path.name] == []


def test_a_workspace_in_use_is_not_replaced(root):
    copy = backup(root, AT)
    spool = spool_in(root, "alive")
    spool.write([("exposure", exposure("x"))])

    with pytest.raises(BookError, match="in use"):
        restore(copy, root)
    spool.close()


def test_only_a_backup_is_restored_and_only_a_workspace_copied(tmp_path, root):
    with pytest.raises(NotFoundError):
        restore(tmp_path, root)
    with pytest.raises(NotFoundError):
        backup(tmp_path / "nothing", AT)


def test_a_lost_workspace_is_restored_from_its_backup_alone(root):
    copy = backup(root, AT)
    root.rename(root.parent / "gone")

    assert restore(copy, root) is None

    assert ids(root) == ["shipped"]
