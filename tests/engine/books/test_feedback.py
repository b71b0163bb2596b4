import pytest

from engine.books.feedback import FeedbackBook, FeedbackCommitter
from engine.books.store import Store
from engine.errors import BookError, FeedbackConflictError
from tests.engine.books.examples import Child, ids, ship
from tests.engine.books.facts import score


@pytest.fixture
def book(tmp_path):
    book = FeedbackBook(tmp_path / "feedback.db")
    yield book
    book.close()


def test_a_key_is_stored_once(book):
    assert book.record([score("k")]) == ["stored"]
    assert book.record([score("k")]) == ["duplicate"]


def test_a_repetition_may_arrive_later(book):
    book.record([score("k", at=1.0)])

    assert book.record([score("k", at=99.0)]) == ["duplicate"]


@pytest.mark.parametrize("other", [{"score": 0.5}, {"trace_id": "t2"}, {"metric": "speed"}])
def test_a_key_with_another_body_is_a_conflict_and_the_first_stands(book, tmp_path, other):
    book.record([score("k")])

    assert book.record([score("k") | other]) == ["conflict"]

    ship(tmp_path)
    row = Store(tmp_path).read("feedback").row(0, named=True)
    assert (row["trace_id"], row["metric"], row["score"]) == ("t", "quality", 1.0)


def test_each_item_of_a_batch_has_its_own_outcome(book):
    rows = [score("a"), score("a"), score("a", 0.5), score("b")]

    assert book.record(rows) == ["stored", "duplicate", "conflict", "stored"]


def test_one_conflicting_row_is_an_error(book):
    book.record_one(score("k"))

    with pytest.raises(FeedbackConflictError, match="'k'"):
        book.record_one(score("k", 0.0))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1.01, -0.1, None, "1", True])
def test_a_score_outside_its_range_is_refused_with_its_batch(book, wrong):
    with pytest.raises(BookError, match="score"):
        book.record([score("a"), score("b", wrong)])

    assert book.record([score("a")]) == ["stored"]


def test_whole_and_signed_scores_are_the_same_score(book):
    book.record([score("a", 1), score("b", -0.0)])

    assert book.record([score("a", 1.0), score("b", 0)]) == ["duplicate", "duplicate"]


def test_a_key_is_remembered_after_its_row_was_shipped(book, tmp_path):
    book.record([score("k")])
    ship(tmp_path)

    assert book.record([score("k"), score("k", 0.0)]) == ["duplicate", "conflict"]
    assert ship(tmp_path) == 0
    assert ids(tmp_path, "feedback") == ["k"]


def test_a_new_book_does_not_pass_for_the_lost_one(book, tmp_path):
    book.record([score("a"), score("b")])
    ship(tmp_path)
    book.close()
    for path in tmp_path.glob("feedback.db*"):
        path.unlink()

    again = FeedbackBook(tmp_path / "feedback.db")
    again.record([score("c")])
    again.close()

    assert ship(tmp_path) == 1
    assert ids(tmp_path, "feedback") == ["a", "b", "c"]


def test_waiting_requests_share_a_commit(book):
    committer = FeedbackCommitter(book)

    futures = committer.submit_many([score("a"), score("a"), score("a", 0.0)])
    last = committer.submit(score("b"))
    committer.close()

    assert [f.result() for f in futures] == ["stored", "duplicate", "conflict"]
    assert last.result() == "stored"


def test_processes_that_hear_the_same_keys_store_each_once(tmp_path):
    heard = [Child("feedback", tmp_path, 40) for _ in range(3)]
    stored = [key for child in heard for key in child.ended()]

    ship(tmp_path)

    assert sorted(stored, key=int) == [str(key) for key in range(40)]
    assert sorted(ids(tmp_path, "feedback"), key=int) == [str(key) for key in range(40)]
