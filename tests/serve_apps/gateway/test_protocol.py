import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import ConfigError
from serve_apps.gateway.call import Answered
from serve_apps.gateway.protocol import (
    chat_completion,
    error_reply,
    json_reply,
    parsed,
)
from serve_apps.outcome import unanswered

calm = settings(deadline=None)

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@calm
@given(st.dictionaries(st.text(), json_values, max_size=4))
def test_an_object_is_read_as_it_was_sent(body):
    assert parsed(json.dumps(body).encode()) == body


@calm
@given(st.binary(max_size=60))
def test_any_bytes_are_an_object_or_refused(body):
    try:
        value = parsed(body)
    except ConfigError:
        return

    assert isinstance(value, dict)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b'{"a": 1} x',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 5_000 + b"}",
    ],
)
def test_what_is_not_json_is_refused(body):
    with pytest.raises(ConfigError, match="not JSON"):
        parsed(body)


@pytest.mark.parametrize("body", [b'{"a": "\\ud800"}', b'{"\\uDFFF": 1}', b'{"a": "\xed\xa0\x80"}'])
def test_half_a_character_is_refused_because_no_book_can_keep_it(body):
    with pytest.raises(ConfigError, match="not JSON"):
        parsed(body)


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"1e999"])
def test_a_number_that_no_answer_could_hold_is_refused(number):
    with pytest.raises(ConfigError, match="not JSON"):
        parsed(b'{"input": {"amount": ' + number + b"}}")


def test_an_answer_whose_tokens_nobody_counted_says_so():
    outcome = unanswered() | {"text": "x", "input_tokens": None, "output_tokens": None}

    assert chat_completion(answered(outcome))["usage"] is None


def test_a_character_in_two_escapes_is_whole():
    assert parsed(b'{"a": "\\ud83d\\ude00 \\\\ud800"}') == {"a": "\U0001f600 \\ud800"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"[]", "list"), (b'"text"', "str"), (b"1", "int"), (b"null", "NoneType"), (b"1.5", "float")],
)
def test_json_that_is_no_object_is_refused_by_its_kind(body, kind):
    with pytest.raises(ConfigError, match=kind):
        parsed(body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, "invalid_request_error"), (503, "unavailable_error"), (418, "api_error")],
)
def test_an_error_has_the_shape_that_stock_clients_read(status, kind):
    response = error_reply(status, "full", "the disk is full", {"retry-after": "5"})

    assert response.status == status
    assert response.headers["retry-after"] == "5"
    assert json.loads(response.body) == {
        "error": {"message": "the disk is full", "type": kind, "code": "full", "param": None}
    }


def test_an_answer_is_compact_json():
    response = json_reply({"a": [1, "ü"]})

    assert response.media_type == "application/json"
    assert response.status == 200
    assert json.loads(response.body) == {"a": [1, "ü"]}


def test_a_number_of_any_size_is_read_and_written_in_full():
    whole = parsed(b'{"a": 123456789012345678901234567890}')

    assert json.loads(json_reply(whole).body) == {"a": 123456789012345678901234567890}


def test_half_a_character_of_a_model_is_written_as_its_escape():
    assert json_reply({"a": "\ud800"}).body == b'{"a":"\\ud800"}'


@pytest.mark.parametrize("status", [429, 503])
def test_whoever_is_sent_away_is_told_when_to_come_back(status):
    assert "retry-after" in error_reply(status, "full", "come back").headers


def answered(outcome):
    return Answered("docs", "v", "abc", "c", "", 12.9, 0.0, outcome)


def test_a_completion_adds_its_tokens_up():
    outcome = unanswered() | {"text": "so", "input_tokens": 7, "output_tokens": 5}

    body = chat_completion(answered(outcome))

    assert (body["id"], body["created"], body["model"]) == ("chatcmpl-abc", 12, "docs")
    assert body["usage"] == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    assert body["choices"][0]["message"]["content"] == "so"
