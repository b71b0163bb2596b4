from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.chunks import chunked, pieces
from engine.workflow.corpus import python_reference

texts = st.text(st.sampled_from("ab. \n*-"), max_size=600)


@given(texts, st.integers(100, 300))
def test_cutting_loses_only_white_space(text, chunk_chars):
    found = list(pieces(text, chunk_chars))

    assert "".join("".join(found).split()) == "".join(text.split())


@given(texts, st.integers(100, 300))
def test_no_piece_is_longer_than_asked_and_none_is_empty(text, chunk_chars):
    found = list(pieces(text, chunk_chars))

    assert all(0 < len(piece) <= chunk_chars and piece.strip() for piece in found)


def test_a_text_is_cut_at_a_paragraph_before_a_sentence():
    first = "One sentence. " * 10
    text = first.strip() + "\n\n" + "Two sentences. " * 10

    found = list(pieces(text, 200))

    assert found[0] == first.strip()


def test_the_reference_is_large_and_every_chunk_names_its_topic():
    corpus = python_reference()

    chunks = chunked(corpus, 300)

    assert sum(map(len, corpus.values())) > 400_000
    assert {chunk.topic for chunk in chunks} == corpus.keys()
