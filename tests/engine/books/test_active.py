import pytest

from engine.books.active import read_active, write_active
from engine.errors import ConfigError


def test_what_was_written_is_in_force(tmp_path):
    path = write_active(tmp_path, "docs", "a: 'é'\r\n")

    assert read_active(tmp_path, "docs") == "a: 'é'\r\n"
    assert path == tmp_path / "active" / "docs.yaml"


def test_before_the_first_there_is_none(tmp_path):
    assert read_active(tmp_path, "docs") is None
    assert read_active(tmp_path, "docs", previous=True) is None


def test_the_previous_one_is_kept_beside(tmp_path):
    for text in ("a: 1", "a: 2", "a: 3"):
        write_active(tmp_path, "docs", text)

    assert read_active(tmp_path, "docs") == "a: 3"
    assert read_active(tmp_path, "docs", previous=True) == "a: 2"
    assert (tmp_path / "active" / "docs.previous.yaml").read_text() == "a: 2"


def test_a_repeated_promotion_keeps_the_previous_one(tmp_path):
    for text in ("a: 1", "a: 2", "a: 2"):
        write_active(tmp_path, "docs", text)

    assert read_active(tmp_path, "docs", previous=True) == "a: 1"


def test_nothing_unfinished_is_left(tmp_path):
    write_active(tmp_path, "docs", "a: 1")
    write_active(tmp_path, "docs", "a: 2")

    names = sorted(path.name for path in (tmp_path / "active").iterdir())
    assert names == ["docs.previous.yaml", "docs.yaml"]


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "docs.previous", "x" * 101, "a\n"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path, name):
    with pytest.raises(ConfigError):
        write_active(tmp_path, name, "a: 1")
