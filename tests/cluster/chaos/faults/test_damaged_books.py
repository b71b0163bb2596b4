import pytest

from engine.books.catalogue import Catalogue
from engine.books.compactor import Compactor
from engine.books.feedback import FeedbackBook
from engine.books.ledger import Ledger
from engine.books.store import Store
from engine.errors import LedgerCorruptError, StoreCorruptError
from tests.engine.books.facts import exposure, score, spool_in

PAGE = 4_096


def damage(path):
    """Overwrite the whole file; what was in the write-ahead log is gone as well."""
    for name in (f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
    path.write_bytes(b"\xa5" * max(PAGE, path.stat().st_size))


def catalogue(root):
    return Catalogue(root / "catalogue.db").position()


def feedback(root):
    return FeedbackBook(root / "feedback.db").record_one(score("another"))


def ledger(root):
    return Ledger(str(root / "ledger.db")).head()


def write(root):
    """Something in every book, and every file closed."""
    spool = spool_in(root, "writer")
    spool.write([("exposure", exposure("one"))])
    spool.close()
    book = FeedbackBook(root / "feedback.db")
    book.record_one(score("key"))
    book.close()
    decisions = Ledger(str(root / "ledger.db"))
    decisions.append("Kept", {}, expected=0, at=1.0, actor="a")
    decisions.close()


@pytest.mark.parametrize(
    ("name", "read"),
    [("catalogue.db", catalogue), ("feedback.db", feedback), ("ledger.db", ledger)],
)
def test_a_damaged_book_is_refused_by_its_name(tmp_path, name, read):
    write(tmp_path)
    damage(tmp_path / name)

    with pytest.raises((StoreCorruptError, LedgerCorruptError)) as refused:
        read(tmp_path)

    assert name.removesuffix(".db") in str(refused.value)


def test_a_damaged_spool_holds_no_other_up_and_is_named(tmp_path):
    write(tmp_path)
    other = spool_in(tmp_path, "other")
    other.write([("exposure", exposure("two"))])
    other.close()
    damage(tmp_path / "spools" / "writer.db")

    with pytest.raises(StoreCorruptError, match="writer"):
        Compactor(tmp_path).step(2.0)

    store = Store(tmp_path)
    assert store.read("exposure")["trace_id"].to_list() == ["two"]
    assert [problem.path for problem in store.check()] == ["spools/writer.db"]
