from hypothesis import given
from hypothesis import strategies as st

from engine.workflow.chunks import Chunk, Hit
from engine.workflow.rerank import reranked

words = st.lists(st.sampled_from(["lambda", "yield", "class", "import"]), min_size=1, max_size=6)
many = st.lists(st.tuples(words, st.floats(0.0, 1.0)), max_size=8)


def hits_of(rows):
    return [Hit(Chunk("t", " ".join(text)), score) for text, score in rows]


@given(words, many, st.integers(1, 10))
def test_reranking_only_picks_and_orders(question, rows, k):
    hits = hits_of(rows)

    best = reranked(" ".join(question), hits, k)

    assert len(best) == min(k, len(hits))
    assert {hit.chunk.text for hit in best} <= {hit.chunk.text for hit in hits}
    assert [hit.score for hit in best] == sorted((hit.score for hit in best), reverse=True)


def test_a_shared_rare_word_lifts_a_chunk():
    hits = hits_of([(["class"], 0.52), (["class"], 0.51), (["yield"], 0.50), (["import"], 0.40)])

    best = reranked("where may yield stand", hits, 1)

    assert best[0].chunk.text == "yield"


def test_without_a_shared_word_the_dense_order_stays():
    hits = hits_of([(["class"], 0.5), (["yield"], 0.4), (["import"], 0.3)])

    best = reranked("hello", hits, 3)

    assert [hit.chunk for hit in best] == [hit.chunk for hit in hits]
