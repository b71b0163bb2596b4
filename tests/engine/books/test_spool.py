import asyncio
import json
import sqlite3
from contextlib import closing

import pytest

from engine.books.catalogue import Catalogue
from engine.books.spool import Committer, Spool
from engine.errors import BookError
from tests.engine.books.examples import Child, ids, ship, write
from tests.engine.books.facts import exposure, score, spool_in, trace


def held(path, kind):
    with closing(sqlite3.connect(path)) as raw:
        return [name for (name,) in raw.execute(f"SELECT trace_id FROM {kind} ORDER BY number")]


def test_a_row_is_on_disk_when_write_returns(tmp_path):
    spool = spool_in(tmp_path)

    spool.write([("exposure", exposure("a")), ("trace", trace("b")), ("exposure", exposure("c"))])

    assert held(spool.path, "exposure") == ["a", "c"]
    assert held(spool.path, "trace") == ["b"]
    spool.close()


@pytest.mark.parametrize("count", [0, 1, 3, 64, 65, 200])
def test_any_number_of_rows_is_written_in_their_order(tmp_path, count):
    spool = spool_in(tmp_path)
    names = [str(number) for number in range(count)]

    spool.write([("exposure", exposure(name)) for name in names])

    assert held(spool.path, "exposure") == names
    spool.close()


def test_one_bad_row_keeps_the_others_out(tmp_path):
    spool = spool_in(tmp_path)

    with pytest.raises(BookError):
        spool.write([("exposure", exposure("a")), ("exposure", {"trace_id": "b"})])

    assert held(spool.path, "exposure") == []
    spool.close()


def test_a_spool_holds_no_feedback(tmp_path):
    spool = spool_in(tmp_path)

    with pytest.raises(BookError, match="not feedback"):
        spool.write([("feedback", score("k"))])
    spool.close()


def test_a_spool_has_one_writer(tmp_path):
    spool = spool_in(tmp_path)

    with pytest.raises(BookError, match="its own spool"):
        spool_in(tmp_path)

    spool.close()
    spool_in(tmp_path).close()


def test_a_spool_is_registered_before_it_can_acknowledge(tmp_path):
    spool = spool_in(tmp_path, "w1")

    (row,) = Catalogue(tmp_path / "catalogue.db").spools()

    assert (row.writer, row.path) == ("w1", "spools/w1.db")
    spool.close()


def test_a_lost_file_is_not_begun_again_under_its_name(tmp_path):
    write(tmp_path, "a")
    (tmp_path / "spools" / "w.db").unlink()

    with pytest.raises(BookError, match="used before"):
        spool_in(tmp_path)


def test_a_retired_name_is_never_used_again(tmp_path):
    write(tmp_path, "a")
    ship(tmp_path)

    with pytest.raises(BookError, match="used before"):
        spool_in(tmp_path)


def test_a_writer_that_starts_again_goes_on_in_its_spool(tmp_path):
    write(tmp_path, "a")
    write(tmp_path, "b")

    assert ship(tmp_path) == 2
    assert ids(tmp_path) == ["a", "b"]


def test_a_committed_row_is_on_disk_when_its_future_resolves(tmp_path):
    spool = Spool(tmp_path / "w.db")
    committer = Committer(spool)

    committer.submit("trace", trace("a")).result(5)

    assert held(spool.path, "trace") == ["a"]
    committer.close()
    spool.close()


async def test_requests_wait_for_their_commit_without_a_thread_each(tmp_path):
    spool = Spool(tmp_path / "w.db")
    committer = Committer(spool)

    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(_submitted(committer, str(number)))

    assert sorted(held(spool.path, "exposure"), key=int) == [str(n) for n in range(50)]
    committer.close()
    spool.close()


async def _submitted(committer, name):
    await committer.hand("exposure", exposure(name))


def test_a_bad_row_is_refused_before_it_joins_a_group(tmp_path):
    spool = Spool(tmp_path / "w.db")
    committer = Committer(spool)

    with pytest.raises(BookError):
        committer.submit("trace", {"trace_id": "t", "at": float("nan")})
    with pytest.raises(BookError):
        committer.submit_many([("trace", trace("a")), ("feedback", score("k"))])

    committer.close()
    assert held(spool.path, "trace") == []
    spool.close()


def test_on_a_full_disk_nothing_is_half_written_and_space_heals_it(tmp_path):
    (said,) = Child("full_spool", tmp_path).ended()
    told = json.loads(said)

    ship(tmp_path)

    assert told["refused"] > 100
    assert ids(tmp_path, "trace") == told["acknowledged"]
