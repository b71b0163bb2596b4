import json
import os
import sqlite3
from contextlib import closing

import pytest

from engine.books.catalogue import Catalogue
from engine.books.compactor import GRACE_S, ORPHAN_S, Compactor
from engine.books.merging import merge
from engine.books.store import Store
from engine.errors import BookError, StoreCorruptError
from engine.evidence.records import SCHEMAS
from tests.engine.books.examples import Child, ids, ship, write
from tests.engine.books.facts import exposure, spool_in, trace


@pytest.fixture
def compactor(tmp_path):
    compactor = Compactor(tmp_path)
    yield compactor
    compactor.close()


def files(root):
    return sorted(str(p.relative_to(root)) for p in (root / "parquet").rglob("*") if p.is_file())


def shipped_one_by_one(root, compactor, *names):
    spool = spool_in(root)
    for name in names:
        spool.write([("exposure", exposure(name))])
        compactor.step(1.0)
    spool.close()


def test_every_column_survives_the_way_into_the_store(tmp_path, compactor):
    spool = spool_in(tmp_path)
    spool.write([("exposure", exposure("a", 0.1)), ("trace", trace("b"))])

    assert compactor.step(1.0) == 2

    store = Store(tmp_path)
    row = store.read("exposure").row(0, named=True)
    assert {name: row[name] for name in exposure("a")} == exposure("a", 0.1)
    assert row["window"] is None
    assert store.read("trace").row(0, named=True)["cache_hit"] is True
    assert store.read("trace").columns == [*SCHEMAS["trace"].names, "batch"]
    spool.close()


def test_what_is_not_shipped_yet_is_the_backlog(tmp_path, compactor):
    spool = spool_in(tmp_path)
    spool.write([("exposure", exposure("a")), ("trace", trace("b"))])

    before = compactor.backlog()
    compactor.step(1.0)

    assert (before, compactor.backlog()) == (2, 0)
    spool.close()


def test_a_step_without_news_writes_nothing(tmp_path, compactor):
    spool = spool_in(tmp_path)
    spool.write([("exposure", exposure("a"))])
    compactor.step(1.0)

    assert compactor.step(2.0) == 0
    assert len(files(tmp_path)) == 1
    spool.close()


def test_shipped_rows_leave_the_spool_and_their_numbers_are_not_used_again(tmp_path, compactor):
    spool = spool_in(tmp_path)
    for name in "abc":
        spool.write([("exposure", exposure(name))])
        compactor.step(1.0)

    with closing(sqlite3.connect(spool.path)) as raw:
        assert raw.execute("SELECT count(*) FROM exposure").fetchone() == (0,)
    assert ids(tmp_path) == ["a", "b", "c"]
    spool.close()


def test_a_dead_writers_spool_is_adopted_and_removed(tmp_path, compactor):
    write(tmp_path, "a", "b", writer="dead")

    assert compactor.step(1.0) == 2

    assert ids(tmp_path) == ["a", "b"]
    assert list((tmp_path / "spools").iterdir()) == []
    assert compactor.catalogue.spools() == []


def test_a_dead_writers_spool_stays_until_all_of_it_is_shipped(tmp_path):
    write(tmp_path, *"abcde")
    compactor = Compactor(tmp_path, rows_per_file=2)

    assert [compactor.step(1.0) for _ in range(4)] == [2, 2, 1, 0]

    assert ids(tmp_path) == list("abcde")
    assert list((tmp_path / "spools").iterdir()) == []
    compactor.close()


def test_a_living_writers_spool_stays(tmp_path, compactor):
    spool = spool_in(tmp_path)

    compactor.step(1.0)

    spool.write([("exposure", exposure("a"))])
    assert compactor.step(2.0) == 1
    spool.close()


def test_a_workspace_has_one_compactor(tmp_path, compactor):
    with pytest.raises(BookError, match="one per workspace"):
        Compactor(tmp_path)

    compactor.close()
    Compactor(tmp_path).close()


def test_a_missing_spool_is_named_and_holds_nobody_up(tmp_path, compactor):
    write(tmp_path, "lost", writer="a")
    (tmp_path / "spools" / "a.db").unlink()
    write(tmp_path, "kept", writer="b")

    with pytest.raises(StoreCorruptError, match=r"a\.db"):
        compactor.step(1.0)

    assert ids(tmp_path) == ["kept"]
    assert [problem.path for problem in Store(tmp_path).check()] == ["spools/a.db"]


def test_a_damaged_feedback_book_is_named_and_holds_nobody_up(tmp_path, compactor):
    (tmp_path / "feedback.db").write_text("no database at all" * 100)
    write(tmp_path, "kept")

    with pytest.raises(StoreCorruptError, match=r"feedback\.db"):
        compactor.step(1.0)

    assert ids(tmp_path) == ["kept"]


def test_merging_changes_no_answer(tmp_path, compactor):
    shipped_one_by_one(tmp_path, compactor, *"abcdef")
    store = Store(tmp_path)
    newest = store.position()
    spans = [(after, upto) for after in range(newest + 1) for upto in range(after, newest + 2)]
    before = [store.read("exposure", after=a, upto=u) for a, u in spans]

    assert merge(compactor, "exposure", 2.0, least_files=2) == 6

    assert store.position() == newest
    assert len(compactor.catalogue.live("exposure")) == 1
    for (a, u), rows in zip(spans, before, strict=True):
        assert store.read("exposure", after=a, upto=u).equals(rows)


def test_merged_files_merge_again_with_new_ones(tmp_path, compactor):
    shipped_one_by_one(tmp_path, compactor, "a", "b")
    merge(compactor, "exposure", 2.0, least_files=2)
    spool = spool_in(tmp_path, "w2")
    spool.write([("exposure", exposure("c"))])
    compactor.step(3.0)
    before = Store(tmp_path).read("exposure")

    assert merge(compactor, "exposure", 4.0, least_files=2) == 2

    assert Store(tmp_path).read("exposure").equals(before)
    assert before["batch"].to_list() == [1, 2, 4]
    spool.close()


def test_big_files_and_small_groups_are_left_alone(tmp_path, compactor):
    shipped_one_by_one(tmp_path, compactor, "a", "b")

    assert merge(compactor, "exposure", 2.0, least_files=3) == 0
    assert merge(compactor, "exposure", 2.0, least_files=2, target_rows=1) == 0
    assert len(compactor.catalogue.live("exposure")) == 2


def test_only_neighbours_merge(tmp_path, compactor):
    spool = spool_in(tmp_path)
    for names in ("a", "bcd", "e", "f"):
        spool.write([("exposure", exposure(name)) for name in names])
        compactor.step(1.0)

    merge(compactor, "exposure", 2.0, least_files=2, target_rows=3)

    assert [file.rows for file in compactor.catalogue.live("exposure")] == [1, 3, 2]
    assert ids(tmp_path) == list("abcdef")
    spool.close()


def test_replaced_files_stay_for_their_readers_then_go(tmp_path, compactor):
    shipped_one_by_one(tmp_path, compactor, "a", "b")
    merge(compactor, "exposure", 100.0, least_files=2)

    assert compactor.sweep(100.0 + GRACE_S) == 0
    assert len(files(tmp_path)) == 3
    assert compactor.sweep(101.0 + GRACE_S) == 2
    assert ids(tmp_path) == ["a", "b"]


def test_orphans_go_when_they_are_old(tmp_path, compactor):
    shipped_one_by_one(tmp_path, compactor, "a")
    folder = tmp_path / "parquet" / "exposure"
    for name, age_s in (("tmp-1", 0.0), ("tmp-2", ORPHAN_S), ("77.parquet", ORPHAN_S)):
        (folder / name).write_bytes(b"torn")
        os.utime(folder / name, (1e9 - age_s, 1e9 - age_s))

    compactor.sweep(1e9)

    assert sorted(path.name for path in folder.iterdir()) == ["1.parquet", "tmp-1"]


def test_a_new_compactor_sweeps_every_orphan(tmp_path):
    write(tmp_path, "a")
    ship(tmp_path)
    folder = tmp_path / "parquet" / "exposure"
    (folder / "tmp-1").write_bytes(b"torn")
    (folder / "9.parquet").write_bytes(b"whole, but never listed")

    Compactor(tmp_path).close()

    assert [path.name for path in folder.iterdir()] == ["1.parquet"]


def test_a_range_of_numbers_is_never_listed_twice(tmp_path, compactor):
    shipped_one_by_one(tmp_path, compactor, "a")
    (file,) = compactor.catalogue.live("exposure")
    again = type(file)(**{**{n: getattr(file, n) for n in file.__slots__}, "id": 9, "path": "x"})

    with pytest.raises(BookError, match="UNIQUE"):
        compactor.catalogue.add(again)


def test_a_store_from_a_newer_trimtab_is_refused(tmp_path):
    Catalogue(tmp_path / "catalogue.db").close()
    with closing(sqlite3.connect(tmp_path / "catalogue.db")) as raw:
        raw.execute("PRAGMA user_version = 99")

    with pytest.raises(BookError, match="newer"):
        Store(tmp_path)


def test_a_full_disk_stops_shipping_and_appending_until_space_returns(tmp_path):
    spool = spool_in(tmp_path)
    spool.write([("trace", trace(name) | {"spans": os.urandom(80_000).hex()}) for name in "ab"])
    spool.close()

    (said,) = Child("full_store", tmp_path).ended()

    told = json.loads(said)
    assert told == {"refused": ["step", "append"], "left": [], "shipped": 2}
    assert ids(tmp_path, "trace") == ["a", "b"]
