import json
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.books.ledger import GENESIS, Ledger
from engine.errors import BookError, ConfigError, LedgerCorruptError, StaleAppendError
from tests.engine.books.examples import Child

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters())
)
bodies = st.dictionaries(
    st.text(st.characters()),
    st.recursive(
        scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(), v, max_size=3)
    ),
    max_size=4,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(path):
    ledger = Ledger(str(path))
    yield ledger
    ledger.close()


@pytest.fixture
def five(ledger):
    for seq in range(5):
        ledger.append("Told", {"n": seq, "x": 0.1}, expected=seq, at=seq + 0.5, actor="a")
    return ledger


def altered(path, *statements):
    """Change the file behind the ledger's back."""
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("DROP TRIGGER IF EXISTS ledger_never_update")
        raw.execute("DROP TRIGGER IF EXISTS ledger_never_delete")
        for statement in statements:
            raw.execute(*statement)


def test_an_entry_comes_back_as_it_was_appended(ledger):
    written = ledger.append("Told", {"why": "é", "x": 0.1}, expected=0, at=1.5, actor="a")

    assert ledger.read() == [written]
    assert (written.seq, written.prev, ledger.head()) == (1, GENESIS, 1)


def test_an_empty_ledger_has_head_zero_and_a_sound_chain(ledger):
    assert ledger.head() == 0
    assert ledger.read() == []
    assert ledger.check_chain() == 0


def test_a_known_entry_keeps_its_known_hash(ledger):
    first = ledger.append("Installed", {"b": [1, 2.0], "a": None}, expected=0, at=1.5, actor="op")
    second = ledger.append("Ended", {"x": 1e-7, "é": "\x00"}, expected=1, at=2.0, actor="op")

    assert first.hash == "70f47b3b297438cde462ba40ff240336e1ebdceddfbddf158a9d0d4542b0e925"
    assert second.hash == "c46bf0359522f06180224530534956f8f535e0174a6a4bef2c6d324e08de81fa"


@settings(max_examples=40, deadline=None)
@given(st.lists(bodies, max_size=3))
def test_a_body_comes_back_exactly(tmp_path_factory, written):
    ledger = Ledger(str(tmp_path_factory.mktemp("l") / "ledger.db"))

    for seq, body in enumerate(written):
        ledger.append("Told", body, expected=seq, at=0.1, actor="a")

    read = [entry.body for entry in ledger.read()]
    assert [_exact(body) for body in read] == [_exact(body) for body in written]
    assert ledger.check_chain() == len(written)
    ledger.close()


def _exact(body):
    return json.dumps(body, sort_keys=True)


@pytest.mark.parametrize(
    "body",
    [
        {"x": float("nan")},
        {"x": [{"y": float("inf")}]},
        {"x": {1: "a number for a key"}},
        {"x": {1, 2}},
        {"x": b"bytes"},
    ],
)
def test_what_json_cannot_hold_is_refused_before_writing(ledger, body):
    with pytest.raises(BookError):
        ledger.append("Told", body, expected=0, at=1.0, actor="a")

    assert ledger.head() == 0


def test_a_time_that_is_no_number_is_refused(ledger):
    with pytest.raises(BookError, match="finite"):
        ledger.append("Told", {}, expected=0, at=float("nan"), actor="a")


def test_a_stale_append_writes_nothing(five):
    with pytest.raises(StaleAppendError) as stale:
        five.append("Told", {}, expected=4, at=1.0, actor="late")

    assert (stale.value.expected, stale.value.head) == (4, 5)
    assert five.head() == 5


def test_an_append_from_the_future_is_stale_too(five):
    with pytest.raises(StaleAppendError):
        five.append("Told", {}, expected=6, at=1.0, actor="early")


def test_a_part_is_read_by_its_numbers(five):
    assert [entry.seq for entry in five.read(after=1, upto=3)] == [2, 3]
    assert [entry.seq for entry in five.read(after=4)] == [5]


def test_another_reader_sees_what_was_appended(five, path):
    other = Ledger(f"sqlite:///{path}")

    assert other.read() == five.read()
    other.close()


@pytest.mark.parametrize("verb", ["UPDATE ledger SET actor = 'b'", "DELETE FROM ledger"])
def test_the_database_itself_refuses_to_change_an_entry(five, path, verb):
    with closing(sqlite3.connect(path)) as raw, pytest.raises(sqlite3.IntegrityError, match="only"):
        raw.execute(verb)

    assert five.check_chain() == 5


def test_two_processes_never_win_the_same_number(path):
    racers = [Child("append", path, actor, 60) for actor in ("a", "b")]
    won = [[int(seq) for seq in racer.ended()] for racer in racers]

    ledger = Ledger(str(path))
    assert sorted(won[0] + won[1]) == list(range(1, 61))
    assert {entry.seq for entry in ledger.read() if entry.actor == "a"} == set(won[0])
    assert ledger.check_chain() == 60
    ledger.close()


@pytest.mark.parametrize(
    ("change", "seq"),
    [
        ("UPDATE ledger SET at = at + 1e-9 WHERE seq = 3", 3),
        ("UPDATE ledger SET actor = CAST(actor AS BLOB) WHERE seq = 3", 3),
        ("UPDATE ledger SET kind = 'told' WHERE seq = 3", 3),
        ("UPDATE ledger SET body = replace(body, ',', ', ') WHERE seq = 3", 3),
        ("UPDATE ledger SET body = '{\"n\":NaN}' WHERE seq = 3", 3),
        ("UPDATE ledger SET body = '{' WHERE seq = 3", 3),
        ("UPDATE ledger SET body = CAST(x'22ff22' AS TEXT) WHERE seq = 3", 3),
        ("UPDATE ledger SET prev = hash WHERE seq = 3", 3),
        ("UPDATE ledger SET hash = upper(hash) WHERE seq = 3", 3),
        ("UPDATE ledger SET seq = 9 WHERE seq = 5", 5),
        ("DELETE FROM ledger WHERE seq = 3", 3),
        ("DELETE FROM ledger WHERE seq = 1", 1),
    ],
)
def test_the_chain_names_the_first_entry_that_was_touched(five, path, change, seq):
    altered(path, (change,))

    with pytest.raises(LedgerCorruptError) as corrupt:
        five.check_chain()

    assert corrupt.value.seq == seq


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_byte_of_any_column_can_be_altered_unseen(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("l") / "ledger.db"
    ledger = Ledger(str(path))
    for seq in range(3):
        ledger.append("Told", {"n": seq}, expected=seq, at=1.0, actor="someone")
    column = data.draw(st.sampled_from(["actor", "kind", "body", "prev", "hash"]))
    seq = data.draw(st.integers(1, 3))
    (entry,) = ledger.read(seq - 1, seq)
    text = {**entry.model_dump(), "body": json.dumps({"n": seq - 1}, separators=(",", ":"))}[column]
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii").filter(lambda c: c != text[place]))
    forged = text[:place] + other + text[place + 1 :]

    altered(path, (f"UPDATE ledger SET {column} = ? WHERE seq = ?", (forged, seq)))

    with pytest.raises(LedgerCorruptError):
        ledger.check_chain()
    ledger.close()


def test_two_entries_that_changed_places_are_found(five, path):
    altered(
        path,
        ("UPDATE ledger SET seq = 99 WHERE seq = 2",),
        ("UPDATE ledger SET seq = 2 WHERE seq = 3",),
        ("UPDATE ledger SET seq = 3 WHERE seq = 99",),
    )

    with pytest.raises(LedgerCorruptError):
        five.check_chain()


def test_an_entry_that_cannot_be_read_is_named(five, path):
    altered(path, ("UPDATE ledger SET body = '{' WHERE seq = 2",))

    with pytest.raises(LedgerCorruptError, match="entry 2"):
        five.read()


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "ledger.db"
    path.write_text("not a database, but long enough to be looked at" * 40)

    with pytest.raises(BookError, match="damaged"):
        Ledger(str(path))


@pytest.mark.parametrize("url", ["mysql://somewhere/ledger", "nonsense://x"])
def test_an_unknown_database_is_refused(url):
    with pytest.raises(ConfigError):
        Ledger(url)
