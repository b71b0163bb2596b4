import pytest

from engine.books.points import POINTS
from tests.engine.books.children import KILLED
from tests.engine.books.examples import Child, ids, rolled_up, ship, write


@pytest.mark.parametrize("point", POINTS)
def test_a_process_that_dies_at_any_point_loses_and_doubles_nothing(tmp_path, point):
    write(tmp_path, "a", "b")
    child = Child("die_at", tmp_path, point)
    child.ended(KILLED)

    ship(tmp_path)

    assert [name for name in ids(tmp_path) if name != "last"] == ["a", "b"]
    # the child died inside its first commit of feedback, or after it
    if point in ("before commit", "after commit"):
        assert ids(tmp_path, "feedback") == ([] if point == "before commit" else ["last"])
    else:
        assert ids(tmp_path, "feedback") == ["last"]
        assert ids(tmp_path).count("last") == 1
        assert ids(tmp_path, "trace") == ["last"]
        assert rolled_up(tmp_path) == 1
    assert not list((tmp_path / "parquet").rglob("tmp-*"))
    assert list((tmp_path / "spools").iterdir()) == []


def test_killed_writers_lose_nothing_that_they_acknowledged(tmp_path):
    children = [Child("write_for_ever", tmp_path, writer) for writer in ("a", "b")]

    for child in children:
        child.wait_for(50)
        child.kill()
    journal = [name for child in children for name in child.said()]
    ship(tmp_path)

    stored = ids(tmp_path)
    assert len(stored) == len(set(stored))
    assert set(journal) <= set(stored)
    # a group that was committed when its writer died may have been acknowledged to nobody
    assert len(set(stored) - set(journal)) <= 2 * 8
    assert list((tmp_path / "spools").iterdir()) == []
