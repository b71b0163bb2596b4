import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.books.secret import sign, verified, workspace_secret
from engine.errors import BookError
from tests.engine.books.examples import Child

SECRET = bytes(range(32))


def test_a_workspace_has_one_secret_that_only_its_owner_reads(tmp_path):
    secret = workspace_secret(tmp_path)

    assert len(secret) == 32
    assert workspace_secret(tmp_path) == secret
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_two_workspaces_share_no_secret(tmp_path):
    assert workspace_secret(tmp_path / "a") != workspace_secret(tmp_path / "b")


def test_processes_that_race_get_the_same_secret(tmp_path):
    children = [Child("secret", tmp_path) for _ in range(3)]

    said = {word for child in children for word in child.ended()}

    assert said == {workspace_secret(tmp_path).hex()}


@pytest.mark.parametrize("text", ["", "zz" * 32, "ab" * 31, "é"])
def test_a_damaged_secret_is_refused_not_replaced(tmp_path, text):
    (tmp_path / "secret").write_text(text)

    with pytest.raises(BookError, match="secret"):
        workspace_secret(tmp_path)

    assert (tmp_path / "secret").read_text() == text


def test_a_known_text_keeps_its_known_signature():
    assert sign(SECRET, "trace-1") == "trace-1.7282762c6b228b51"


@given(st.text())
def test_what_was_signed_is_verified(text):
    assert verified(SECRET, sign(SECRET, text)) == text


@given(st.text())
def test_another_workspaces_signature_is_worth_nothing(text):
    assert verified(SECRET, sign(bytes(32), text)) is None


@given(st.text(min_size=1), st.data())
def test_no_character_of_a_signed_id_can_be_altered(text, data):
    signed = sign(SECRET, text)
    place = data.draw(st.integers(0, len(signed) - 1))
    other = data.draw(st.characters().filter(lambda c: c != signed[place]))

    assert verified(SECRET, signed[:place] + other + signed[place + 1 :]) is None


@given(st.text())
def test_a_text_without_a_signature_is_refused(text):
    assert verified(SECRET, text) is None
