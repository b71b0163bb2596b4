from hypothesis import given
from hypothesis import strategies as st

from cluster.chaos.journal import Journal, Ping, Try, availability, counts, line_of, read_journal
from tests.cluster.chaos.sound import rating

statuses = st.sampled_from([0, 200, 404, 429, 500, 503])
tries = st.builds(
    Try,
    began_at=st.floats(0, 1e10),
    ended_at=st.floats(0, 1e10),
    status=statuses,
    code=st.sampled_from(["", "timeout", "connection", "busy"]),
    echoed=st.booleans(),
)
pings = st.builds(Ping, id=st.text(), tries=st.lists(tries, min_size=1, max_size=2).map(tuple))


def exchange(status, code=""):
    return Try(began_at=0.0, ended_at=1.0, status=status, code=code)


@given(st.lists(pings), st.integers(0, 9))
def test_what_was_written_down_is_read_again(tmp_path_factory, written, number):
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    rated = rating(number)

    path.write_text("".join(map(line_of, [*written, rated])), encoding="utf-8")

    assert read_journal(path) == Journal(pings=tuple(written), ratings=(rated,))


def test_a_line_that_its_writer_did_not_finish_is_left_out(tmp_path):
    path, whole = tmp_path / "journal.jsonl", line_of(rating(1))

    path.write_text(whole + whole[:20])

    assert read_journal(path).ratings == (rating(1),)


def test_every_exchange_counts_in_one_class_and_code():
    seen = [
        exchange(200),
        exchange(200),
        exchange(429, "busy"),
        exchange(503, "storage_full"),
        exchange(0, "timeout"),
        exchange(0, "connection"),
    ]

    assert counts(seen) == {
        "2xx": {"200": 2},
        "4xx": {"429 busy": 1},
        "5xx": {"503 storage_full": 1},
        "timeout": {"timeout": 1},
        "connection": {"connection": 1},
    }
    assert availability(seen) == 2 / 6


def test_where_nobody_asked_nothing_is_known_of_availability():
    assert availability([]) is None
