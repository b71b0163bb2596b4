import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.books.compactor import Compactor
from engine.books.quarantine import quarantine
from engine.books.store import Store
from engine.errors import NotFoundError, StoreCorruptError
from engine.evidence.records import SCHEMAS, empty
from tests.engine.books.examples import ids, ship, write
from tests.engine.books.facts import exposure, spool_in


@pytest.fixture
def three(tmp_path):
    """A store with the files 1, 2 and 3, one row each."""
    return filled(tmp_path)


def filled(root):
    spool, compactor = spool_in(root), Compactor(root)
    for name in "abc":
        spool.write([("exposure", exposure(name))])
        compactor.step(1.0)
    spool.close()
    compactor.close()
    return root


@pytest.mark.parametrize("kind", SCHEMAS)
def test_an_empty_store_has_its_columns_and_no_rows(tmp_path, kind):
    store = Store(tmp_path)

    assert store.read(kind).equals(empty(kind))
    assert store.position() == 0


def test_rows_carry_the_batch_that_made_them_visible(three):
    rows = Store(three).read("exposure")

    assert list(zip(rows["trace_id"], rows["batch"], strict=True)) == [("a", 1), ("b", 2), ("c", 3)]
    assert Store(three).position() == 3


def test_a_span_is_open_below_and_closed_above(three):
    assert ids(three, after=1, upto=2) == ["b"]
    assert ids(three, after=2) == ["c"]
    assert ids(three, upto=0) == []


def test_what_came_later_changes_no_earlier_span(three):
    before = Store(three).read("exposure", upto=3)
    write(three, "d", writer="later")
    ship(three)

    assert Store(three).read("exposure", upto=3).equals(before)
    assert ids(three, after=3) == ["d"]


def test_only_the_columns_asked_for_are_read(three):
    rows = Store(three).read("exposure", columns=["variant", "trace_id"])

    assert rows.columns == ["trace_id", "variant", "batch"]
    assert Store(three).read("trace", columns=["status"]).columns == ["status", "batch"]


def test_a_stray_file_is_no_part_of_the_store(three):
    stray = three / "parquet" / "exposure" / "99.parquet"
    stray.write_bytes((three / "parquet" / "exposure" / "1.parquet").read_bytes())

    assert ids(three) == ["a", "b", "c"]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_byte_of_a_file_can_be_altered_or_lost_unseen(tmp_path_factory, data):
    root = _shared(tmp_path_factory)
    path = root / "parquet" / "exposure" / "2.parquet"
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytes([whole[place] ^ data.draw(st.integers(1, 255))])
    damaged = data.draw(
        st.sampled_from([whole[:place], whole[:place] + flipped + whole[place + 1 :]])
    )

    path.write_bytes(damaged)
    try:
        with pytest.raises(StoreCorruptError, match=r"2\.parquet"):
            Store(root).read("exposure")
        assert ids(root, after=2) == ["c"]
    finally:
        path.write_bytes(whole)


_roots = []


def _shared(factory):
    if not _roots:
        _roots.append(filled(factory.mktemp("store")))
    return _roots[0]


def test_a_missing_file_is_named(three):
    (three / "parquet" / "exposure" / "2.parquet").unlink()

    with pytest.raises(StoreCorruptError, match=r"2\.parquet: missing"):
        Store(three).read("exposure")


def test_a_sound_store_has_no_problems(three):
    assert Store(three).check() == []


def test_a_damaged_file_is_set_aside_by_name_and_the_rest_stays_readable(three):
    name = "parquet/exposure/2.parquet"
    (three / name).write_bytes(b"PAR1 torn")
    assert [problem.path for problem in Store(three).check()] == [name]

    moved = quarantine(three, name)

    assert moved.read_bytes() == b"PAR1 torn"
    assert ids(three) == ["a", "c"]
    (problem,) = Store(three).check()
    assert (problem.path, "quarantine/exposure-2.parquet" in problem.why) == (name, True)


def test_a_lost_file_can_be_set_aside_too(three):
    (three / "parquet" / "exposure" / "2.parquet").unlink()

    quarantine(three, "parquet/exposure/2.parquet")

    assert ids(three) == ["a", "c"]


def test_only_a_file_of_the_store_is_set_aside(three):
    with pytest.raises(NotFoundError):
        quarantine(three, "catalogue.db")


def test_a_reader_goes_on_when_its_files_are_merged_away_and_swept(three):
    store, compactor = Store(three), Compactor(three)
    (path,) = [three / file.path for file in compactor.catalogue.live("exposure", after=2)]
    compactor.close()

    class Swept(Store):
        """A reader that is overtaken between its snapshot and its first file."""

        def _load(self, *args):
            if path.exists():
                _merged_and_swept(three)
            return super()._load(*args)

    assert Swept(three).read("exposure").equals(store.read("exposure"))


def _merged_and_swept(root):
    from engine.books.merging import merge

    compactor = Compactor(root)
    merge(compactor, "exposure", 2.0, least_files=2)
    compactor.sweep(10.0, grace_s=0.0)
    compactor.close()
