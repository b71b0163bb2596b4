import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config.retrieval import Chunking
from engine.workflow.context.tokens import wordpieces
from engine.workflow.retrieval.chunkers import chunked

WORDS = st.sampled_from(
    ["Iron", "rusts", "x" * 130, "e.g.", "well.", "no!", "# Head", "- item", "ñu"]
)
TEXTS = st.lists(
    st.tuples(WORDS, st.sampled_from([" ", "\n", "\n\n", "  "])).map("".join), max_size=120
).map("".join)
TOKENS = wordpieces()


def cut(text, **changes):
    return [chunk.text for chunk in chunked({"topic": text}, Chunking(**changes))]


@pytest.mark.parametrize("chunker", ["borders", "tokens", "sentences", "markdown"])
@given(text=TEXTS)
@settings(deadline=None)
def test_only_white_space_is_lost(chunker, text):
    pieces = cut(text, chunker=chunker, chars=100, tokens=16)

    assert "".join("".join(pieces).split()) == "".join(text.split())


@pytest.mark.parametrize("chunker", ["borders", "sentences", "markdown"])
@given(text=TEXTS, overlap=st.sampled_from([0.0, 0.2, 0.5]))
@settings(deadline=None)
def test_no_piece_is_longer_than_asked(chunker, text, overlap):
    pieces = cut(text, chunker=chunker, chars=100, overlap=overlap)

    assert all(0 < len(piece) <= 100 for piece in pieces)


@given(text=TEXTS, overlap=st.sampled_from([0.0, 0.2, 0.5]))
@settings(deadline=None)
def test_no_piece_has_more_tokens_than_asked(text, overlap):
    pieces = cut(text, chunker="tokens", tokens=16, overlap=overlap)

    assert all(len(TOKENS.encode(piece, add_special_tokens=False)) <= 16 for piece in pieces)


def test_a_window_holds_so_many_sentences_and_repeats_the_last():
    text = "One is. Two is. Three is. Four is. Five is."

    pieces = cut(text, chunker="sentences", sentences=2, overlap=0.5)

    assert pieces == [
        "One is. Two is.",
        "Two is. Three is.",
        "Three is. Four is.",
        "Four is. Five is.",
    ]


def test_a_markdown_piece_ends_before_the_next_heading():
    text = "# One\n\n" + "word " * 12 + "\n\n# Two\n\n" + "text " * 12

    pieces = cut(text, chunker="markdown", chars=100)

    assert [piece.split("\n")[0] for piece in pieces] == ["# One", "# Two"]


def test_words_of_a_long_sentence_are_never_glued():
    text = " ".join(["word"] * 60) + ". " + "Next one."

    pieces = cut(text, chunker="sentences", chars=100, sentences=100)

    assert set(" ".join(pieces).split()) == {"word", "word.", "Next", "one."}
