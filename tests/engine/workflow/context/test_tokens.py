import json
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.workflow.context.tokens import ATTACHMENT, PER_MESSAGE, Tokens, wordpieces

TOKENS = Tokens("gpt-4o")


@pytest.fixture
def own(tmp_path):
    path = tmp_path / "tokenizer.json"
    wordpieces().save(str(path))
    return str(path)


def test_a_models_own_tokenizer_counts_exactly(own):
    count = Tokens("any-model", own).count("Iron rusts in water.")

    assert (count.tokens, count.exact) == (6, True)


def test_an_estimate_says_so():
    assert not TOKENS.count("Iron rusts in water.").exact


def test_an_unreadable_tokenizer_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"context\.tokenizer: got .*none\.json"):
        Tokens("any-model", str(tmp_path / "none.json"))


@pytest.mark.parametrize("torn", [False, True])
def test_a_vocabulary_that_is_not_whole_is_never_fetched(tmp_path, monkeypatch, torn):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(socket, "socket", None)
    if torn:
        (tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790").write_bytes(b"torn")

    assert not Tokens("gpt-4o").exact


@given(st.text(max_size=400))
def test_an_estimate_grows_with_the_text(text):
    assert TOKENS.count(text + "\nmore words").tokens > TOKENS.count(text).tokens


def test_a_blob_that_the_vocabulary_does_not_know_counts_by_its_length():
    assert TOKENS.count("aB3+" * 500).tokens >= 1_000


def test_a_picture_counts_as_a_fixed_number():
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

    assert TOKENS.message({"role": "user", "content": [picture]}) == ATTACHMENT + PER_MESSAGE


def test_tool_calls_count_too():
    call = {"id": "1", "function": {"name": "find", "arguments": json.dumps({"text": "iron"})}}

    plain = TOKENS.message({"role": "assistant", "content": None})
    calling = TOKENS.message({"role": "assistant", "content": None, "tool_calls": [call]})

    assert calling > plain == PER_MESSAGE
